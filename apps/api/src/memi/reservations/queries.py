"""Every statement of the reservations feature."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, tuple_, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import Update

from memi.reservations.lifecycle import OPEN, Status
from memi.reservations.models import Reservation
from memi.reservations.schemas import Role
from memi.users.models import User
from memi.users.queries import stands

Fate = Literal["blocked", "deleted"]
"""What happened to a person whose reservations end."""


class Ended(NamedTuple):
    """What is told of a reservation that a listing's move ended."""

    id: UUID
    listing_id: UUID
    chat_id: UUID
    buyer_id: UUID
    seller_id: UUID
    status: str
    ended_because: str


_ENDED = (
    Reservation.id,
    Reservation.listing_id,
    Reservation.chat_id,
    Reservation.buyer_id,
    Reservation.seller_id,
    Reservation.status,
    Reservation.ended_because,
)


async def parties(session: AsyncSession, reservation_id: UUID) -> tuple[UUID, UUID, UUID] | None:
    """(listing, buyer, seller), which never change, so that they may be read before anything is locked."""
    row = (
        await session.execute(
            select(Reservation.listing_id, Reservation.buyer_id, Reservation.seller_id).where(
                Reservation.id == reservation_id
            )
        )
    ).first()
    return None if row is None else (row[0], row[1], row[2])


async def get(session: AsyncSession, reservation_id: UUID) -> Reservation | None:
    return await session.get(Reservation, reservation_id)


def _is_over() -> ColumnElement[bool]:
    """Its time is over by the database's clock. While an order has its hold, the order's time counts instead."""
    # statement_timestamp: waiting for the locks may have taken the reservation past its end.
    return and_(Reservation.expires_at <= func.statement_timestamp(), ~_ordered())


def _ordered() -> ColumnElement[bool]:
    return and_(Reservation.status == Status.ACCEPTED, Reservation.order_id.is_not(None))


async def lock(session: AsyncSession, reservation_id: UUID) -> tuple[Reservation, bool]:
    """The reservation, locked, and whether its time is over by the database's clock. Lock its listing first."""
    row = (
        await session.execute(
            select(Reservation, _is_over())
            .where(Reservation.id == reservation_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    ).one()
    return row[0], row[1]


async def open_of(session: AsyncSession, listing_id: UUID, buyer_id: UUID) -> tuple[Reservation, bool] | None:
    """The buyer's open reservation of this listing, locked, and whether its time is over."""
    row = (
        await session.execute(
            select(Reservation, _is_over())
            .where(Reservation.listing_id == listing_id, Reservation.buyer_id == buyer_id, Reservation.status.in_(OPEN))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    ).first()
    return None if row is None else (row[0], row[1])


async def page(
    session: AsyncSession,
    user_id: UUID,
    *,
    role: Role | None,
    statuses: Sequence[str],
    before: UUID | None,
    limit: int,
) -> Sequence[Reservation]:
    """A person's reservations, newest first, below `before`."""
    columns = {"buyer": Reservation.buyer_id, "seller": Reservation.seller_id}
    # One index walk per side, each bounded: an OR over both columns would read everything the person ever had.
    sides: list[Select[tuple[UUID]]] = []
    for name in (role,) if role else ("buyer", "seller"):
        statement = select(Reservation.id).where(columns[name] == user_id)
        if statuses:
            statement = statement.where(Reservation.status.in_(statuses))
        if before is not None:
            statement = statement.where(Reservation.id < before)
        bounded = statement.order_by(Reservation.id.desc()).limit(limit).subquery()
        sides.append(select(bounded.c.id))
    ids = union_all(*sides).subquery()
    found = select(Reservation).join(ids, ids.c.id == Reservation.id).order_by(Reservation.id.desc()).limit(limit)
    return (await session.scalars(found)).all()


async def end_accepted(
    session: AsyncSession, listing_id: UUID, status: Status, because: str, *, unless_lapsed: bool = False
) -> list[Ended]:
    """End the listing's ACCEPTED reservation, if any; with `unless_lapsed`, as EXPIRED when its time is over."""
    lapsed = Reservation.expires_at <= func.statement_timestamp()
    target = case((lapsed, Status.EXPIRED), else_=status) if unless_lapsed else status
    reason = case((lapsed, "lapsed"), else_=because) if unless_lapsed else because
    statement = update(Reservation).where(Reservation.listing_id == listing_id, Reservation.status == Status.ACCEPTED)
    return await _end(session, statement, target, reason)


async def end_one(session: AsyncSession, reservation_id: UUID, because: str) -> list[Ended]:
    """Cancel an ACCEPTED reservation."""
    statement = update(Reservation).where(Reservation.id == reservation_id, Reservation.status == Status.ACCEPTED)
    return await _end(session, statement, Status.CANCELLED, because)


async def end_open(session: AsyncSession, listing_id: UUID, because: str) -> list[Ended]:
    """Cancel every open reservation of a listing, which the caller has locked."""
    statement = update(Reservation).where(Reservation.listing_id == listing_id, Reservation.status.in_(OPEN))
    return await _end(session, statement, Status.CANCELLED, because)


async def open_listings_of(session: AsyncSession, user_id: UUID) -> Sequence[UUID]:
    """Listings with an open reservation in which the person is buyer or seller, in the order of locking."""
    statement = (
        select(Reservation.listing_id)
        .where(or_(Reservation.buyer_id == user_id, Reservation.seller_id == user_id), Reservation.status.in_(OPEN))
        .distinct()
        .order_by(Reservation.listing_id)
    )
    return (await session.scalars(statement)).all()


async def requested_between(session: AsyncSession, one: UUID, other: UUID) -> Sequence[tuple[UUID, UUID]]:
    """(listing, reservation) of each REQUESTED one between the two, on either side, in the order of locking."""
    sides = tuple_(Reservation.buyer_id, Reservation.seller_id)
    statement = (
        select(Reservation.listing_id, Reservation.id)
        .where(sides.in_([(one, other), (other, one)]), Reservation.status == Status.REQUESTED)
        .order_by(Reservation.listing_id, Reservation.id)
    )
    return [(row[0], row[1]) for row in await session.execute(statement)]


async def accepted_of(session: AsyncSession, user_id: UUID) -> Sequence[tuple[UUID, UUID]]:
    """(listing, reservation) of each ACCEPTED one in which the person is buyer or seller."""
    statement = select(Reservation.listing_id, Reservation.id).where(
        or_(Reservation.buyer_id == user_id, Reservation.seller_id == user_id), Reservation.status == Status.ACCEPTED
    )
    return [(row[0], row[1]) for row in await session.execute(statement)]


async def end_of_user(session: AsyncSession, user_id: UUID, what: Fate) -> list[Ended]:
    """Cancel every open reservation of a blocked or deleted person, on both sides."""
    because = case((Reservation.buyer_id == user_id, f"buyer_{what}"), else_=f"seller_{what}")
    statement = update(Reservation).where(
        or_(Reservation.buyer_id == user_id, Reservation.seller_id == user_id), Reservation.status.in_(OPEN)
    )
    return await _end(session, statement, Status.CANCELLED, because)


async def due(
    session: AsyncSession, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[tuple[datetime, UUID]]:
    """(time, id) of open reservations whose time is over by the database's clock, following `after`."""
    statement = select(Reservation.expires_at, Reservation.id).where(
        Reservation.status.in_(OPEN), Reservation.expires_at <= func.now(), ~_ordered()
    )
    if after is not None:
        statement = statement.where(tuple_(Reservation.expires_at, Reservation.id) > after)
    statement = statement.order_by(Reservation.expires_at, Reservation.id).limit(limit)
    return [(row[0], row[1]) for row in await session.execute(statement)]


async def forget_words(session: AsyncSession, buyer_id: UUID) -> None:
    """Take away what a buyer wrote with the requests."""
    statement = update(Reservation).where(Reservation.buyer_id == buyer_id, Reservation.message.is_not(None))
    await session.execute(statement.values(message=None).execution_options(synchronize_session=False))


async def verified_standing(session: AsyncSession, user_ids: Sequence[UUID]) -> dict[UUID, bool]:
    """Of these people, those whose accounts stand now, and whether their address is verified."""
    statement = select(User.id, User.email_verified_at.is_not(None)).where(User.id.in_(user_ids), stands())
    return {row[0]: row[1] for row in await session.execute(statement)}


async def changed_since(
    session: AsyncSession, user_ids: Sequence[UUID], window: timedelta, limit: int
) -> Sequence[Reservation]:
    """Reservations of these people that changed within `window` by the database's clock, the newest `limit`."""
    statement = (
        select(Reservation)
        .where(
            Reservation.updated_at > func.now() - window,
            or_(Reservation.buyer_id.in_(user_ids), Reservation.seller_id.in_(user_ids)),
        )
        .order_by(Reservation.updated_at.desc())
        .limit(limit)
    )
    return (await session.scalars(statement)).all()


async def _end(session: AsyncSession, statement: Update, status: Any, because: Any) -> list[Ended]:
    ended = statement.values(
        status=status,
        ended_because=because,
        version=Reservation.version + 1,
        updated_at=func.now(),
    ).returning(*_ENDED)
    rows = await session.execute(ended.execution_options(synchronize_session=False))
    return sorted(Ended(*row) for row in rows)
