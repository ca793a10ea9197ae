"""Tells every process that sessions ended, so that their sockets close."""

from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.events import in_transaction
from memi.platform.unit_of_work import poke_after_commit
from memi.realtime.watch import SESSIONS_TOPIC
from memi.users.events import RolesChanged, SessionsEnded


@in_transaction(SessionsEnded)
async def close_sockets(event: SessionsEnded, session: AsyncSession) -> None:
    poke_after_commit(session, SESSIONS_TOPIC, str(event.user_id))


@in_transaction(RolesChanged)
async def check_sockets(event: RolesChanged, session: AsyncSession) -> None:
    """Staff need a second factor: a socket of somebody who became staff without one closes."""
    poke_after_commit(session, SESSIONS_TOPIC, str(event.user_id))
