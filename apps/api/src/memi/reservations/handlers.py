"""What listings' moves, blocks and deletions do to reservations, and the lines of what nobody in particular did."""

from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings.events import ListingMoved, Move
from memi.platform.events import durable, in_transaction
from memi.reservations import queries, service
from memi.reservations.events import Reason, ReservationChanged
from memi.reservations.lifecycle import Status
from memi.users.events import PeopleBlocked, UserBlocked, UserDeleted

_CLOSES: dict[Move, Reason] = {
    "unpublish": "unpublished",
    "expire": "listing_expired",
    "delete": "deleted",
    "remove": "removed",
}


@in_transaction(ListingMoved)
async def follow_listing(event: ListingMoved, session: AsyncSession) -> None:
    """The writer holds the listing's lock, so no request can come in between."""
    if event.move == "unreserve":
        ended = await queries.end_accepted(
            session, event.listing_id, Status.CANCELLED, "unreserved", unless_lapsed=True
        )
        await service.tell_ended(session, ended)
    elif event.move == "sold":
        await service.tell_ended(
            session, await queries.end_accepted(session, event.listing_id, Status.COMPLETED, "sold")
        )
        await service.tell_ended(session, await queries.end_open(session, event.listing_id, "sold"))
    elif event.move in _CLOSES:
        ended = await queries.end_open(session, event.listing_id, _CLOSES[event.move])
        await service.tell_ended(session, ended)


@in_transaction(UserBlocked)
async def close_reservations(event: UserBlocked, session: AsyncSession) -> None:
    await service.close_of_user(session, event.user_id, "blocked")


@in_transaction(UserDeleted)
async def close_reservations_of_deleted(event: UserDeleted, session: AsyncSession) -> None:
    await service.close_of_user(session, event.user_id, "deleted")


@in_transaction(PeopleBlocked)
async def part(event: PeopleBlocked, session: AsyncSession) -> None:
    """Whoever asks for an item holds the pair's lock, so no request can come in between."""
    await service.part(session, event.blocker_id, event.blocked_id)


@durable(ReservationChanged)
async def post_line_of_closed(event: ReservationChanged, session: AsyncSession) -> None:
    """People's own moves post their line at once; a listing may close many, whose chats the writer need not lock."""
    if event.actor_id is None:
        await service.post_line(session, event)
