"""What staff do about how people sign in: lost second factors, and sessions that must end."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.admin.errors import CannotResetSelf
from memi.admin.service import account_under
from memi.audit import service as audit
from memi.auth import mfa, sessions, staff
from memi.auth.models import AuthSession
from memi.platform.errors import NotFound
from memi.platform.paging import Found, Place
from memi.platform.principal import Principal
from memi.users import service as users


async def reset_mfa(session: AsyncSession, caller: Principal, user_id: UUID, reason: str) -> None:
    """Take a lost second factor away; all sessions end and the owner is mailed.

    Raises `CannotResetSelf`, `NotFound`, `NoSecondFactor`.
    """
    if user_id == caller.user_id:
        raise CannotResetSelf
    await account_under(session, caller, user_id)
    await mfa.reset(session, user_id)
    before, after = {"totp": True}, {"totp": False}
    await audit.record(session, caller, "user.reset_mfa", "USER", user_id, reason=reason, before=before, after=after)


async def sessions_of(session: AsyncSession, user_id: UUID, place: Place) -> Found[AuthSession]:
    """Where a person is signed in, newest first; raises `NotFound`."""
    if not await users.get_many(session, [user_id]):
        raise NotFound
    return await staff.standing_sessions(session, user_id, place)


async def end_sessions(session: AsyncSession, caller: Principal, user_id: UUID, reason: str) -> None:
    """Sign a person out everywhere; raises `NotFound`, `StaffProtected`."""
    await account_under(session, caller, user_id)
    await sessions.end_all(session, user_id, "ended_by_staff")
    await audit.record(session, caller, "user.end_sessions", "USER", user_id, reason=reason)
