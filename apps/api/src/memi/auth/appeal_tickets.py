"""What a blocked person is given in place of a session: good for an hour, and for nothing but an appeal."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth import queries
from memi.auth.errors import InvalidAppealToken
from memi.platform.keyring import KeyRing, Unsealable
from memi.platform.unit_of_work import adapters_of

LIFETIME = timedelta(hours=1)
_PURPOSE = "appeal"


class _Ticket(msgspec.Struct):
    user_id: UUID
    ends_at: float


async def issue(session: AsyncSession, user_id: UUID) -> str:
    """For somebody whose password or provider was right. Sealed, so that nothing of it has to be stored."""
    ends_at = (await queries.database_now(session) + LIFETIME).timestamp()
    sealed = adapters_of(session).get(KeyRing).seal(_PURPOSE, msgspec.msgpack.encode(_Ticket(user_id, ends_at)))
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


async def read(session: AsyncSession, token: str) -> UUID:
    """Whose it is; raises `InvalidAppealToken` for one that is over or none of ours."""
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        ticket = msgspec.msgpack.decode(adapters_of(session).get(KeyRing).unseal(_PURPOSE, sealed), type=_Ticket)
    except (binascii.Error, ValueError, Unsealable, msgspec.MsgspecError):
        raise InvalidAppealToken from None
    if await queries.database_now(session) >= datetime.fromtimestamp(ticket.ends_at, UTC):
        raise InvalidAppealToken
    return ticket.user_id
