"""`memi mails`: what a memi without a mail server would have sent."""

from typing import Annotated

import typer

from memi.cli.errors import BadUsage
from memi.platform.mail_folder import mail_folder, read_folder
from memi.platform.settings import load_settings


def mails(
    to: Annotated[str | None, typer.Option(help="Only mails to addresses that contain this.")] = None,
    last: Annotated[int, typer.Option(min=1, help="At most this many, the newest.")] = 50,
) -> None:
    """List the mails in the data folder, the newest last: time, recipient, subject, and the link to follow."""
    settings = load_settings()
    if settings.smtp_url is not None:
        raise BadUsage("mails go to the server of MEMI_SMTP_URL; none are kept here")
    folder = mail_folder(settings)
    found = [mail for mail in read_folder(folder) if to is None or to.lower() in mail.to.lower()][-last:]
    for mail in found:
        print(f"{mail.at:%Y-%m-%d %H:%M:%S}  {mail.to}  {mail.subject}")
        if mail.link is not None:
            print(f"    {mail.link}")
    if not found:
        print(f"There are no mails in {folder.absolute()}.")
