"""What staff ask about how people are signed in."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth import staff_queries
from memi.auth.models import AuthSession
from memi.platform.paging import Found, Place


async def standing_sessions(session: AsyncSession, user_id: UUID, place: Place) -> Found[AuthSession]:
    """Where a person is signed in, newest first."""
    return await staff_queries.standing_sessions(session, user_id, place)
