"""Statements by which staff see where somebody is signed in."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth.models import AuthSession
from memi.platform.paging import Found, Place
from memi.platform.paging_queries import page_of
from memi.users.models import User


async def standing_sessions(session: AsyncSession, user_id: UUID, place: Place) -> Found[AuthSession]:
    """A person's sessions that stand, newest first; ids are time-ordered."""
    statement = (
        select(AuthSession)
        .join(User, User.id == AuthSession.user_id)
        .where(
            AuthSession.user_id == user_id,
            AuthSession.revoked_at.is_(None),
            AuthSession.expires_at > func.now(),
            AuthSession.epoch == User.epoch,
        )
    )
    return await page_of(session, statement, place, AuthSession.id)
