"""Background work of accounts: the mails to their owners, and forgetting what is over."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth import letters, mail_queries, mail_tokens, queries
from memi.auth.letters import LETTERS, MailKind
from memi.auth.mail_tokens import Purpose
from memi.platform import clock
from memi.platform.jobs import enqueue, job, recurring
from memi.platform.mail import Mail, MailNotSent, MailRefused, mailer_of
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.users import service as users
from memi.users.models import User

log = structlog.get_logger(__name__)
_OUTLASTS = timedelta(days=1)
"""A mail server may be away this long before its mails are given up, far longer than other jobs are tried."""
_LONGEST_WAIT = timedelta(minutes=15)
_SESSION_DAYS = 90
"""For how long ended sessions are kept: by them a device is known again."""


class AccountMail(msgspec.Struct, frozen=True):
    """A mail to be written. Who asked for it may only know the address, and must not learn whether it is known."""

    kind: MailKind
    at: datetime
    user_id: UUID | None = None
    email: str | None = None
    values: dict[str, str] = {}
    tries: int = 0
    epoch: int | None = None
    """The account's when this was asked for, where it must not be sent once whoever asked was signed out."""


@job(AccountMail)
async def send_account_mail(payload: AccountMail, runtime: Runtime) -> None:
    """Mint the token, commit its hash, send: at least once, and with a new token each time it is tried again."""
    async with runtime.unit_of_work() as session:
        mail = await _prepare(session, payload, runtime.settings)
    if mail is None:
        return
    try:
        await mailer_of(runtime.adapters).send(mail)
    except MailRefused as refusal:
        log.warning("account_mail_refused", kind=payload.kind, user_id=str(payload.user_id), reason=str(refusal))
    except MailNotSent as failure:
        if clock.now() - payload.at > _OUTLASTS:
            raise
        log.warning("account_mail_delayed", kind=payload.kind, tries=payload.tries + 1, reason=str(failure))
        async with runtime.unit_of_work() as session:
            later = min(_LONGEST_WAIT, timedelta(seconds=5) * 2 ** min(payload.tries, 10))
            await enqueue(
                session, send_account_mail, msgspec.structs.replace(payload, tries=payload.tries + 1), delay=later
            )


async def _prepare(session: AsyncSession, payload: AccountMail, settings: Settings) -> Mail | None:
    """The mail as things stand now; None when there is no more reason for it."""
    user = await _recipient(session, payload)
    if user is None or not _has_reason(payload, user):
        return None
    kind, values = payload.kind, payload.values
    locale = user.locale
    if kind is MailKind.CHANGE_EMAIL:
        holder = await users.find_by_email(session, values["new_email"])
        if holder is not None:
            if holder.id == user.id:
                return None
            # Whoever reads that mailbox may know; whoever asked hears the same either way.
            kind, locale = MailKind.EMAIL_IN_USE, holder.locale
    letter = LETTERS[kind]
    to = values[letter.to] if letter.to is not None else user.email
    token = None
    if letter.purpose is not None:
        lifetime = letter.purpose.lifetime(settings)
        token = await mail_tokens.mint(session, user.id, letter.purpose, to, lifetime)
    # An address that nobody has confirmed may be a stranger's: no words of the account's owner go there.
    known = user.email_verified_at is not None and to == user.email
    name = user.name if known else None
    return letters.write(settings, kind, to=to, locale=locale, name=name, token=token, at=payload.at, values=values)


async def _recipient(session: AsyncSession, payload: AccountMail) -> User | None:
    if payload.user_id is not None:
        return await mail_queries.lock_account(session, payload.user_id)
    return await mail_queries.lock_account_by_email(session, payload.email or "")


def _has_reason(payload: AccountMail, user: User) -> bool:
    if user.erased_at is not None:
        return False
    if (user.deleted_at is not None) != (LETTERS[payload.kind].purpose is Purpose.RESTORE_ACCOUNT):
        return False
    if payload.epoch is not None and payload.epoch != user.epoch:
        return False
    proved = user.email_verified_at is not None and user.email_refused_at is None
    return payload.kind is not MailKind.VERIFY_EMAIL or not proved


@recurring(timedelta(hours=1))
async def forget_what_is_over(runtime: Runtime) -> None:
    """Mailed tokens and sessions are of no use long after their end."""
    async with runtime.unit_of_work() as session:
        await mail_queries.prune(session)
        await queries.prune_sessions(session, _SESSION_DAYS)
