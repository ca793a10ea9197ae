"""Tokens that travel by mail: 256 random bits in the link, a SHA-256 in the database, good once and for a while."""

from collections.abc import Collection
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth import mail_queries
from memi.auth.account_errors import InvalidMailToken
from memi.auth.models import MailToken
from memi.auth.tokens import hash_token, new_refresh_token
from memi.platform.settings import Settings
from memi.users.models import User

KEPT = 3
"""Links of one purpose that work at a time: whoever asks thrice may open whichever mail comes first."""


class Purpose(StrEnum):
    VERIFY_EMAIL = "VERIFY_EMAIL"
    CHANGE_EMAIL = "CHANGE_EMAIL"
    RESET_PASSWORD = "RESET_PASSWORD"  # noqa: S105  # a purpose
    RESTORE_ACCOUNT = "RESTORE_ACCOUNT"

    def lifetime(self, settings: Settings) -> timedelta:
        if self is Purpose.RESET_PASSWORD:
            return timedelta(hours=1)
        if self is Purpose.RESTORE_ACCOUNT:
            return timedelta(days=settings.account_undo_days)
        return timedelta(hours=24)


async def mint(session: AsyncSession, user_id: UUID, purpose: Purpose, email: str, lifetime: timedelta) -> str:
    """A new token that proves its holder reads `email`; only its hash is stored. The account must be locked."""
    token = new_refresh_token()
    row = MailToken(user_id=user_id, purpose=purpose, token_hash=hash_token(token), email=email)
    await mail_queries.add(session, row, lifetime)
    await mail_queries.keep_newest(session, user_id, purpose, KEPT)
    return token


async def look(session: AsyncSession, token: str, purposes: Collection[Purpose]) -> tuple[MailToken, User]:
    """A token that would be redeemed now, and its account; nothing is locked or used. Raises `InvalidMailToken`."""
    found = await mail_queries.find(session, hash_token(token))
    if found is None:
        raise InvalidMailToken
    row, user = found
    if row.used_at is not None or not await _good(session, row, user, purposes):
        raise InvalidMailToken
    return row, user


async def redeem(
    session: AsyncSession, token: str, purposes: Collection[Purpose], *, again: bool = False
) -> tuple[MailToken, User, bool]:
    """Use a token: (it, its account locked, whether this was its first use); raises `InvalidMailToken`.

    Of two at once one wins. With `again` one that was used is given once more, within its life, for who clicks twice:
    the caller must then change nothing.
    """
    hashed = hash_token(token)
    found = await mail_queries.find(session, hashed)
    if found is None:
        raise InvalidMailToken
    # The account before the token, as whoever mints does, so that the two never wait for each other.
    user = await mail_queries.lock_account(session, found[1].id)
    row = await mail_queries.lock_token(session, hashed)
    if user is None or row is None or not await _good(session, row, user, purposes):
        raise InvalidMailToken
    first = row.used_at is None
    if not first and not again:
        raise InvalidMailToken
    if first:
        await mail_queries.mark_used(session, row)
    return row, user, first


async def void(
    session: AsyncSession, user_id: UUID, purposes: Collection[Purpose], *, keep: UUID | None = None
) -> None:
    """What was mailed for these purposes works no more."""
    await mail_queries.void(session, user_id, purposes, keep)


async def _good(session: AsyncSession, row: MailToken, user: User, purposes: Collection[Purpose]) -> bool:
    """Of the right purpose, in time, and of an account that is as it was when the mail went out."""
    if row.purpose not in purposes or await mail_queries.is_over(session, row):
        return False
    if (user.deleted_at is not None) != (row.purpose == Purpose.RESTORE_ACCOUNT) or user.erased_at is not None:
        return False
    # A change goes to the address that is not the account's yet; all others prove the one it has.
    return row.purpose == Purpose.CHANGE_EMAIL or row.email == user.email
