"""Asking for a mail to an account's owner; it is sent by a job, once the asking transaction has committed."""

import hashlib
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth.device import Device
from memi.auth.jobs import AccountMail, send_account_mail
from memi.auth.letters import LETTERS
from memi.auth.letters import MailKind as MailKind
from memi.platform import clock
from memi.platform.jobs import enqueue


async def request_mail(
    session: AsyncSession, kind: MailKind, user_id: UUID, *, epoch: int | None = None, **values: str
) -> None:
    """Have `kind` sent to the account with this transaction; `values` are those its `Letter` needs.

    A verification that waits to be sent is not queued again. With the account's `epoch` nothing is sent once it rose.
    """
    missing = set(LETTERS[kind].needs) - set(values)
    if missing:
        raise TypeError(f"{kind} needs {', '.join(sorted(missing))}")
    key = f"{kind}:{user_id}" if kind is MailKind.VERIFY_EMAIL else None
    mail = AccountMail(kind, clock.now(), user_id, None, values, epoch=epoch)
    await enqueue(session, send_account_mail, mail, key=key)


async def request_reset(session: AsyncSession, email: str) -> None:
    """Have a link to set a new password sent to the account with this address, if there is one.

    Whether there is one is looked up when the mail is sent, so that asking does the same work for every address.
    """
    email = email.lower()
    key = f"reset:{hashlib.sha256(email.encode()).hexdigest()[:32]}"
    await enqueue(session, send_account_mail, AccountMail(MailKind.RESET_PASSWORD, clock.now(), email=email), key=key)


async def tell_of_new_device(session: AsyncSession, user_id: UUID, device: Device) -> None:
    """Tell the owner of a session that was opened from a device never seen."""
    await request_mail(session, MailKind.NEW_SIGN_IN, user_id, device=device.user_agent or "—", ip=device.ip or "—")
