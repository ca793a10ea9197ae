"""Mail as files of one folder, for running memi without a mail server, and reading them back."""

import asyncio
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from memi.platform import clock
from memi.platform.mail import Mail, MailCheck, MailTurnedAway, compose
from memi.platform.mail_settings import parse_sender
from memi.platform.settings import Settings

_LINK = re.compile(r"https?://\S+").search


def mail_folder(settings: Settings) -> Path:
    """Where mails are kept while there is no mail server."""
    return settings.data_dir / "mail"


class FolderMailer:
    """The `Mailer` of local mode: each mail is an .eml file, whole from the moment it is there."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = parse_sender(sender)

    async def send(self, mail: Mail) -> None:
        # In eight bits, so that a link can be copied out of the file as it stands.
        content = compose(mail, self._sender, "8bit").as_bytes()
        try:
            await asyncio.to_thread(self._write, content)
        except OSError as error:
            raise MailTurnedAway(f"the mail folder: {error.strerror}") from None

    async def check(self) -> MailCheck:
        return MailCheck(True, None, "folder")

    def _write(self, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{clock.now():%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}"
        temporary = self._folder / f".{name}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._folder / f"{name}.eml")


@dataclass(frozen=True)
class KeptMail:
    """A mail of the folder; `link` is the first of its text."""

    path: Path
    at: datetime
    to: str
    subject: str
    link: str | None


def read_folder(folder: Path) -> Iterator[KeptMail]:
    """The mails of the folder, oldest first; one that vanished meanwhile is left out."""
    for path in sorted(folder.glob("*.eml")):
        try:
            message = message_from_bytes(path.read_bytes(), EmailMessage, policy=SMTP)  # pyright: ignore[reportCallIssue, reportArgumentType]  # the stubs know no message class here
        except FileNotFoundError:
            continue
        body = message.get_body(("plain",))
        found = _LINK(str(body.get_content())) if body is not None else None
        at = datetime.strptime(path.name.partition("-")[0], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
        yield KeptMail(path, at, str(message["To"]), str(message["Subject"]), found.group() if found else None)
