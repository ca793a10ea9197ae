"""Every statement of the orders feature."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Select, case, func, or_, select, tuple_, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession

from memi.orders.lifecycle import UNPAID, Side
from memi.orders.models import Order, RefundRequest
from memi.orders.schemas import Role


class Parties(NamedTuple):
    """What never changes of an order, so that it may be read before anything is locked."""

    listing_id: UUID
    reservation_id: UUID | None
    buyer_id: UUID
    seller_id: UUID


async def parties(session: AsyncSession, order_id: UUID) -> Parties | None:
    statement = select(Order.listing_id, Order.reservation_id, Order.buyer_id, Order.seller_id)
    row = (await session.execute(statement.where(Order.id == order_id))).first()
    return None if row is None else Parties(*row)


async def get(session: AsyncSession, order_id: UUID) -> Order | None:
    return await session.get(Order, order_id)


async def lock(session: AsyncSession, order_id: UUID) -> tuple[Order, bool] | None:
    """The order, locked, and whether it is unpaid and its time over by the database's clock."""
    # statement_timestamp: waiting for the locks may have taken the order past its end.
    row = (
        await session.execute(
            select(Order, func.coalesce(Order.expires_at <= func.statement_timestamp(), False))
            .where(Order.id == order_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    ).first()
    return None if row is None else (row[0], row[1])


async def unpaid_of(session: AsyncSession, listing_id: UUID) -> tuple[UUID, UUID] | None:
    """(order, buyer) of the listing's one order that has its hold. Lock the listing first."""
    statement = select(Order.id, Order.buyer_id).where(Order.listing_id == listing_id, Order.status.in_(UNPAID))
    row = (await session.execute(statement)).first()
    return None if row is None else (row[0], row[1])


async def page(
    session: AsyncSession,
    user_id: UUID,
    *,
    role: Role | None,
    statuses: Sequence[str],
    before: UUID | None,
    limit: int,
) -> Sequence[Order]:
    """A person's orders, newest first, below `before`."""
    columns = {"buyer": Order.buyer_id, "seller": Order.seller_id}
    # One index walk per side, each bounded: an OR over both columns would read everything the person ever had.
    sides: list[Select[tuple[UUID]]] = []
    for name in (role,) if role else ("buyer", "seller"):
        statement = select(Order.id).where(columns[name] == user_id)
        if statuses:
            statement = statement.where(Order.status.in_(statuses))
        if before is not None:
            statement = statement.where(Order.id < before)
        bounded = statement.order_by(Order.id.desc()).limit(limit).subquery()
        sides.append(select(bounded.c.id))
    ids = union_all(*sides).subquery()
    found = select(Order).join(ids, ids.c.id == Order.id).order_by(Order.id.desc()).limit(limit)
    return (await session.scalars(found)).all()


async def unpaid_of_user(session: AsyncSession, user_id: UUID) -> Sequence[tuple[UUID, UUID]]:
    """(listing, order) of each unpaid order in which the person is buyer or seller, in the order of locking."""
    statement = (
        select(Order.listing_id, Order.id)
        .where(or_(Order.buyer_id == user_id, Order.seller_id == user_id), Order.status.in_(UNPAID))
        .order_by(Order.listing_id)
    )
    return [(row[0], row[1]) for row in await session.execute(statement)]


async def due(
    session: AsyncSession, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[tuple[datetime, UUID]]:
    """(time, id) of unpaid orders whose time is over by the database's clock, following `after`."""
    statement = select(Order.expires_at, Order.id).where(Order.status.in_(UNPAID), Order.expires_at <= func.now())
    if after is not None:
        statement = statement.where(tuple_(Order.expires_at, Order.id) > after)
    statement = statement.order_by(Order.expires_at, Order.id).limit(limit)
    found = await session.execute(statement)
    return [(expires_at, order_id) for expires_at, order_id in found if expires_at is not None]


async def changed_since(
    session: AsyncSession, user_ids: Sequence[UUID], window: timedelta, limit: int
) -> Sequence[Order]:
    """Orders of these people that changed within `window` by the database's clock, the newest `limit`."""
    statement = (
        select(Order)
        .where(
            Order.updated_at > func.now() - window,
            or_(Order.buyer_id.in_(user_ids), Order.seller_id.in_(user_ids)),
        )
        .order_by(Order.updated_at.desc())
        .limit(limit)
    )
    return (await session.scalars(statement)).all()


async def pays_for_another(session: AsyncSession, payment_id: str, order_id: UUID) -> bool:
    """Whether this payment is another order's."""
    statement = select(Order.id).where(Order.payment_id == payment_id, Order.id != order_id)
    return await session.scalar(statement) is not None


async def refund_of(session: AsyncSession, order_id: UUID, *, lock: bool = False) -> RefundRequest | None:
    """The order's refund request; with `lock`, locked after its order."""
    statement = select(RefundRequest).where(RefundRequest.order_id == order_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return await session.scalar(statement)


async def forget_person(session: AsyncSession, user_id: UUID) -> None:
    """Take a person's name, address and words out of their orders; a reason stays if the other side gave it."""
    for side, other, values in (
        (Order.buyer_id, Side.SELLER, {"buyer_name": None, "address": None}),
        (Order.seller_id, Side.BUYER, {"seller_name": None}),
    ):
        others_words = case((Order.cancelled_by == other, Order.cancel_reason))
        statement = update(Order).where(side == user_id).values(**values, cancel_reason=others_words)
        await session.execute(statement.execution_options(synchronize_session=False))
