"""Typed guards: who has a part in an order."""

from dataclasses import dataclass
from uuid import UUID

from litestar.params import FromPath

from memi.orders import queries
from memi.orders.lifecycle import Side
from memi.platform.dependencies import Caller, Session
from memi.platform.errors import NotFound


@dataclass(frozen=True)
class OwnOrder:
    """An order of the caller's, and the side they are on. Nothing is locked yet."""

    order_id: UUID
    listing_id: UUID
    caller_id: UUID
    side: Side


async def own_order(order_id: FromPath[UUID], caller: Caller, session: Session) -> OwnOrder:
    """The caller's part; raises `NotFound` for whoever has none."""
    found = await queries.parties(session, order_id)
    if found is None:
        raise NotFound
    sides = {found.buyer_id: Side.BUYER, found.seller_id: Side.SELLER}
    if caller.user_id not in sides:
        raise NotFound
    return OwnOrder(order_id, found.listing_id, caller.user_id, sides[caller.user_id])
