"""What listings' moves, blocks and deletions do to orders, and the lines of what nobody in particular did.

These run before those of reservations, which find their order decided.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings.events import ListingMoved, Move
from memi.orders import moves, service
from memi.orders.events import OrderChanged, Reason
from memi.platform.events import durable, in_transaction
from memi.users.events import UserBlocked, UserDeleted

_CLOSES: dict[Move, Reason] = {"unreserve": "unreserved", "delete": "deleted", "remove": "removed"}


@in_transaction(ListingMoved)
async def follow_listing(event: ListingMoved, session: AsyncSession) -> None:
    """The writer holds the listing's lock, so no order can come in between. What is paid is not touched.

    `reference_id` is that of the hold that ended: the same unit of work may have given the item to another order since.
    """
    if event.reference_id is None:
        return
    if event.move == "sold":
        await service.close_sold(session, event.reference_id)
    elif event.move in _CLOSES:
        await service.close_unpaid(session, event.reference_id, _CLOSES[event.move])


@in_transaction(UserBlocked)
async def close_orders(event: UserBlocked, session: AsyncSession) -> None:
    await service.close_of_user(session, event.user_id, "blocked")


@in_transaction(UserDeleted)
async def close_orders_of_deleted(event: UserDeleted, session: AsyncSession) -> None:
    await service.close_of_user(session, event.user_id, "deleted")


@durable(OrderChanged)
async def post_line_of_closed(event: OrderChanged, session: AsyncSession) -> None:
    """People's own moves post their line at once; others may close many orders, whose chats the writer need not
    lock."""
    if event.actor_id is None:
        await moves.post_line(session, event)
