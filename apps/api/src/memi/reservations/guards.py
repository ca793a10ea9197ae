"""Typed guards: who has a part in a reservation."""

from dataclasses import dataclass
from uuid import UUID

from litestar.params import FromPath

from memi.platform.dependencies import Caller, Session
from memi.platform.errors import NotFound
from memi.reservations import queries
from memi.reservations.lifecycle import Side


@dataclass(frozen=True)
class OwnReservation:
    """A reservation of the caller's, and the side they are on. Nothing is locked yet."""

    reservation_id: UUID
    listing_id: UUID
    caller_id: UUID
    side: Side


async def own_reservation(reservation_id: FromPath[UUID], caller: Caller, session: Session) -> OwnReservation:
    """The caller's part; raises `NotFound` for whoever has none."""
    found = await queries.parties(session, reservation_id)
    if found is None:
        raise NotFound
    listing_id, buyer_id, seller_id = found
    sides = {buyer_id: Side.BUYER, seller_id: Side.SELLER}
    if caller.user_id not in sides:
        raise NotFound
    return OwnReservation(reservation_id, listing_id, caller.user_id, sides[caller.user_id])
