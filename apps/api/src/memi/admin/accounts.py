"""What staff do about accounts that go: deleting one for its owner's sake, giving one back, erasing what was said."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.admin.errors import AccountNotErased, CannotDeleteSelf
from memi.admin.service import account_under, check_version
from memi.audit import service as audit
from memi.chat import erasing
from memi.chat.erasing import WordsLeft
from memi.platform.errors import NotFound
from memi.platform.principal import Principal
from memi.users import deletion
from memi.users import service as users
from memi.users.models import User


async def delete_user(
    session: AsyncSession, caller: Principal, user_id: UUID, reason: str, expected: int | None
) -> User:
    """Delete an account as its owner could, link in the mail included.

    Raises `CannotDeleteSelf`, `NotFound`, `StaffProtected`, `StaleVersion`, `LastAdmin`.
    """
    if user_id == caller.user_id:
        raise CannotDeleteSelf
    check_version(await account_under(session, caller, user_id), expected)
    user = await deletion.delete(session, user_id)
    await _record(session, caller, "user.delete", user, reason)
    return user


async def restore_user(
    session: AsyncSession, caller: Principal, user_id: UUID, reason: str, expected: int | None
) -> User:
    """Give a deleted account back while its days last; raises `NotFound`, `StaleVersion`, `RestoreTooLate`."""
    found = await users.lock_together(session, [user_id])
    if user_id in found:
        check_version(found[user_id], expected)
    user = await deletion.restore(session, user_id)
    await _record(session, caller, "user.restore", user, reason)
    return user


async def erase_words(session: AsyncSession, caller: Principal, user_id: UUID, reason: str) -> WordsLeft:
    """Have everything erased that a person said in chats, whose account is; what of it there still is.

    Asked for again it is done again, which changes nothing. Raises `NotFound`, `AccountNotErased`.
    """
    user = (await users.get_many(session, [user_id])).get(user_id)
    if user is None:
        raise NotFound
    if user.erased_at is None:
        raise AccountNotErased(user.erase_after)
    request_id = await audit.record(session, caller, erasing.ASKED, "USER", user_id, reason=reason)
    await erasing.start(session, request_id, caller.user_id, user_id)
    return await erasing.left(session, user_id)


async def words_left(session: AsyncSession, user_id: UUID) -> WordsLeft:
    """What there still is of what a person said in chats; raises `NotFound`."""
    if not await users.get_many(session, [user_id]):
        raise NotFound
    return await erasing.left(session, user_id)


async def _record(session: AsyncSession, caller: Principal, action: str, user: User, reason: str) -> None:
    deleted = user.deleted_at is not None
    before, after = {"deleted": not deleted}, {"deleted": deleted}
    await audit.record(session, caller, action, "USER", user.id, reason=reason, before=before, after=after)
