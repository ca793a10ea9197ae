"""Every statement of the media feature."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from memi.media.models import Upload, UploadClaim


async def of_owner(session: AsyncSession, upload_id: UUID, owner_id: UUID, *, lock: bool = False) -> Upload | None:
    """The owner's upload; with `lock`, held until the end of the unit of work."""
    statement = select(Upload).where(Upload.id == upload_id, Upload.owner_id == owner_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return await session.scalar(statement)


async def lock(session: AsyncSession, upload_id: UUID) -> Upload | None:
    """The upload, held until the end of the unit of work."""
    statement = select(Upload).where(Upload.id == upload_id).with_for_update()
    return await session.scalar(statement.execution_options(populate_existing=True))


async def lock_many(session: AsyncSession, upload_ids: Sequence[UUID]) -> Sequence[Upload]:
    """Those of `upload_ids` that exist, held in the order of their ids."""
    statement = (
        select(Upload)
        .where(Upload.id.in_(upload_ids))
        .order_by(Upload.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(statement)).all()


async def by_ids(session: AsyncSession, upload_ids: Sequence[UUID]) -> Sequence[Upload]:
    return (await session.scalars(select(Upload).where(Upload.id.in_(upload_ids)))).all()


async def add_claims(session: AsyncSession, claimant: str, upload_ids: Sequence[UUID]) -> None:
    """The uploads must be locked."""
    rows = [{"upload_id": upload_id, "claimant": claimant} for upload_id in upload_ids]
    await session.execute(insert(UploadClaim).values(rows).on_conflict_do_nothing())
    await session.execute(update(Upload).where(Upload.id.in_(upload_ids)).values(unclaimed_since=None))


async def remove_claims(session: AsyncSession, claimant: str, upload_ids: Sequence[UUID]) -> None:
    """The uploads must be locked, so that two claimants who let go at once do not each see the other's claim."""
    gone = delete(UploadClaim).where(UploadClaim.claimant == claimant, UploadClaim.upload_id.in_(upload_ids))
    await session.execute(gone)
    unclaimed = update(Upload).where(Upload.id.in_(upload_ids), Upload.unclaimed_since.is_(None), ~_claimed())
    await session.execute(unclaimed.values(unclaimed_since=func.now()))


def _claimed() -> ColumnElement[bool]:
    return exists().where(UploadClaim.upload_id == Upload.id)


async def claimants(session: AsyncSession, upload_id: UUID) -> list[str]:
    statement = select(UploadClaim.claimant).where(UploadClaim.upload_id == upload_id).order_by(UploadClaim.claimant)
    return list((await session.scalars(statement)).all())


async def lock_orphans(session: AsyncSession, older_than: timedelta, most: int) -> Sequence[Upload]:
    """Uploads that nobody has claimed for longer than that, held; those in use at this moment are left."""
    statement = (
        select(Upload)
        .where(Upload.unclaimed_since < func.now() - older_than, ~_claimed())
        .order_by(Upload.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return (await session.scalars(statement)).all()


async def remove(session: AsyncSession, uploads: Sequence[Upload]) -> None:
    await session.execute(delete(Upload).where(Upload.id.in_([upload.id for upload in uploads])))


async def stalled(session: AsyncSession, older_than: timedelta, most: int) -> list[UUID]:
    """Uploads that wait for their processing or are in it since longer than that."""
    statement = (
        select(Upload.id)
        .where(Upload.status.in_(("UPLOADED", "PROCESSING")), Upload.moved_at < func.now() - older_than)
        .order_by(Upload.moved_at)
        .limit(most)
    )
    return list((await session.scalars(statement)).all())
