"""The mails an account sends its owner: what each is for, where it leads, and what it must be told."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from memi.auth.mail_tokens import Purpose
from memi.platform.mail import Mail
from memi.platform.mail_wording import Wording
from memi.platform.settings import Settings


class MailKind(StrEnum):
    VERIFY_EMAIL = "VERIFY_EMAIL"
    RESET_PASSWORD = "RESET_PASSWORD"  # noqa: S105  # the name of a mail
    CHANGE_EMAIL = "CHANGE_EMAIL"
    EMAIL_IN_USE = "EMAIL_IN_USE"
    EMAIL_CHANGE_REQUESTED = "EMAIL_CHANGE_REQUESTED"
    EMAIL_CHANGED = "EMAIL_CHANGED"
    RESTORE_ACCOUNT = "RESTORE_ACCOUNT"
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105  # the name of a mail
    REFRESH_TOKEN_REUSED = "REFRESH_TOKEN_REUSED"  # noqa: S105  # the name of a mail
    NEW_SIGN_IN = "NEW_SIGN_IN"
    SECOND_FACTOR_ADDED = "SECOND_FACTOR_ADDED"
    SECOND_FACTOR_REMOVED = "SECOND_FACTOR_REMOVED"
    RECOVERY_CODES_RENEWED = "RECOVERY_CODES_RENEWED"
    RECOVERY_CODE_USED = "RECOVERY_CODE_USED"
    PROVIDER_LINKED = "PROVIDER_LINKED"
    PROVIDER_UNLINKED = "PROVIDER_UNLINKED"
    EXPORT_READY = "EXPORT_READY"


@dataclass(frozen=True)
class Letter:
    """`path` is the front end's page; with a `purpose` the link carries a token in its fragment.

    `to` names the value that holds the recipient where that is not the account's address.
    """

    path: str
    purpose: Purpose | None = None
    needs: tuple[str, ...] = ()
    to: str | None = None


_SECURITY = "/account/security"
LETTERS: dict[MailKind, Letter] = {
    MailKind.VERIFY_EMAIL: Letter("/auth/verify-email", Purpose.VERIFY_EMAIL),
    MailKind.RESET_PASSWORD: Letter("/auth/reset-password", Purpose.RESET_PASSWORD),
    MailKind.CHANGE_EMAIL: Letter("/auth/verify-email", Purpose.CHANGE_EMAIL, ("new_email",), to="new_email"),
    MailKind.EMAIL_IN_USE: Letter("/auth/forgot-password", needs=("new_email",), to="new_email"),
    MailKind.EMAIL_CHANGE_REQUESTED: Letter(_SECURITY, needs=("old_email", "new_email"), to="old_email"),
    MailKind.EMAIL_CHANGED: Letter("/help", needs=("old_email", "new_email"), to="old_email"),
    MailKind.RESTORE_ACCOUNT: Letter("/auth/restore-account", Purpose.RESTORE_ACCOUNT),
    MailKind.PASSWORD_CHANGED: Letter("/auth/forgot-password"),
    MailKind.REFRESH_TOKEN_REUSED: Letter(_SECURITY),
    MailKind.NEW_SIGN_IN: Letter(_SECURITY, needs=("device", "ip")),
    MailKind.SECOND_FACTOR_ADDED: Letter(_SECURITY),
    MailKind.SECOND_FACTOR_REMOVED: Letter(_SECURITY),
    MailKind.RECOVERY_CODES_RENEWED: Letter(_SECURITY),
    MailKind.RECOVERY_CODE_USED: Letter(_SECURITY),
    MailKind.PROVIDER_LINKED: Letter(_SECURITY, needs=("provider",)),
    MailKind.PROVIDER_UNLINKED: Letter(_SECURITY, needs=("provider",)),
    MailKind.EXPORT_READY: Letter("/account/data"),
}
_LONGEST_VALUE = 200


@lru_cache(maxsize=1)
def wording() -> Wording:
    return Wording("memi.auth")


def write(
    settings: Settings,
    kind: MailKind,
    *,
    to: str,
    locale: str,
    name: str | None,
    token: str | None,
    at: datetime,
    values: dict[str, str],
) -> Mail:
    """The mail itself. `name` is None where the recipient is not known to have chosen it."""
    letter = LETTERS[kind]
    # The fragment stays in the browser: no server's log and no Referer header ever holds the token.
    link = f"{settings.site_url}{letter.path}" + (f"#token={token}" if token is not None else "")
    given: dict[str, Any] = {key: value[:_LONGEST_VALUE] for key, value in values.items()}
    if letter.purpose is not None:
        given["hours"] = int(letter.purpose.lifetime(settings).total_seconds() // 3600)
    days = settings.export_days if kind is MailKind.EXPORT_READY else settings.account_undo_days
    return wording().render(
        kind,
        locale=locale,
        to=to,
        link=link,
        site=settings.site_url,
        name=name,
        days=days,
        at=f"{at:%d.%m.%Y %H:%M} UTC",
        **given,
    )
