"""Statements of the privacy feature. The clock is the database's."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.ids import new_id
from memi.privacy.models import DataExport


async def current(session: AsyncSession, user_id: UUID) -> DataExport | None:
    """The person's export that is being made, else the newest that can be fetched."""
    statement = (
        select(DataExport)
        .where(
            DataExport.user_id == user_id,
            or_(DataExport.status == "PENDING", (DataExport.status == "READY") & (DataExport.expires_at > func.now())),
        )
        .order_by(DataExport.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return await session.scalar(statement)


async def add(session: AsyncSession, user_id: UUID, object_key: str) -> UUID | None:
    """The id of a new one; None when another is being made already."""
    statement = (
        insert(DataExport)
        .values(id=new_id(), user_id=user_id, object_key=object_key)
        # Written out: once the statement is planned without its parameters, one of them names no index.
        .on_conflict_do_nothing(index_elements=[DataExport.user_id], index_where=text("status = 'PENDING'"))
        .returning(DataExport.id)
    )
    return await session.scalar(statement)


async def by_id(session: AsyncSession, export_id: UUID) -> DataExport | None:
    return await session.get(DataExport, export_id)


async def lock(session: AsyncSession, export_id: UUID) -> DataExport | None:
    statement = select(DataExport).where(DataExport.id == export_id).with_for_update()
    return await session.scalar(statement.execution_options(populate_existing=True))


async def mark_ready(session: AsyncSession, export_id: UUID, size: int, days: int) -> None:
    await session.execute(
        update(DataExport)
        .where(DataExport.id == export_id)
        .values(
            status="READY",
            size=size,
            ready_at=func.now(),
            expires_at=func.now() + func.make_interval(0, 0, 0, days),
        )
        .execution_options(synchronize_session=False)
    )


async def lock_over(session: AsyncSession, limit: int) -> list[DataExport]:
    """Files whose days are over; those another worker holds are left to it."""
    statement = (
        select(DataExport)
        .where(DataExport.status == "READY", DataExport.expires_at <= func.now())
        .order_by(DataExport.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list((await session.scalars(statement)).all())


async def lock_of(session: AsyncSession, user_id: UUID) -> list[DataExport]:
    """Everything with a file that a person has, or will have."""
    statement = select(DataExport).where(DataExport.user_id == user_id, DataExport.status != "EXPIRED")
    return list((await session.scalars(statement.order_by(DataExport.id).with_for_update())).all())


async def stalled(session: AsyncSession, older_than: timedelta, limit: int) -> Sequence[UUID]:
    statement = (
        select(DataExport.id)
        .where(DataExport.status == "PENDING", DataExport.created_at < func.now() - older_than)
        .order_by(DataExport.id)
        .limit(limit)
    )
    return list((await session.scalars(statement)).all())


async def remove_of(session: AsyncSession, user_id: UUID) -> None:
    statement = delete(DataExport).where(DataExport.user_id == user_id)
    await session.execute(statement.execution_options(synchronize_session=False))
