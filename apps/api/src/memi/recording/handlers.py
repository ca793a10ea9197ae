"""Deeds that other features tell of become usage events: each once, with the receipt of its event."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat.events import ChatOpened
from memi.favorites.events import FavoriteAdded
from memi.listings import viewing
from memi.listings.events import ListingMoved, Move
from memi.orders.events import OrderChanged
from memi.platform.events import durable
from memi.reservations.events import ReservationChanged
from memi.usage import service as usage
from memi.usage.schemas import Kind

_MOVES: dict[Move, Kind] = {"publish": "PUBLISH", "sold": "SOLD"}


@durable(FavoriteAdded)
async def record_favorite(event: FavoriteAdded, session: AsyncSession) -> None:
    await _record(session, "FAVORITE", event.user_id, event.listing_id)


@durable(ChatOpened)
async def record_contact(event: ChatOpened, session: AsyncSession) -> None:
    await _record(session, "CONTACT", event.buyer_id, event.listing_id)


@durable(ReservationChanged)
async def record_reservation(event: ReservationChanged, session: AsyncSession) -> None:
    if event.change == "requested":
        await _record(session, "RESERVE", event.buyer_id, event.listing_id)


@durable(OrderChanged)
async def record_order(event: OrderChanged, session: AsyncSession) -> None:
    if event.change == "created":
        await _record(session, "ORDER", event.buyer_id, event.listing_id)


@durable(ListingMoved)
async def record_move(event: ListingMoved, session: AsyncSession) -> None:
    """The seller publishes; whoever's deed sold it, it is the seller's listing that is sold."""
    kind = _MOVES.get(event.move)
    if kind is not None:
        await _record(session, kind, event.seller_id, event.listing_id)


async def _record(session: AsyncSession, kind: Kind, user_id: UUID, listing_id: UUID) -> None:
    facts = await viewing.facts(session, [listing_id])
    await usage.record_deed(session, kind, user_id, listing_id, facts.get(listing_id))
