"""Statements of giving people their pictures and of erasing them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from memi.media.models import Upload, UploadClaim


async def of_owner(session: AsyncSession, owner_id: UUID, after: UUID | None, limit: int) -> Sequence[Upload]:
    """In the order of their ids."""
    statement = select(Upload).where(Upload.owner_id == owner_id).order_by(Upload.id).limit(limit)
    if after is not None:
        statement = statement.where(Upload.id > after)
    return (await session.scalars(statement)).all()


async def lock_all(session: AsyncSession, owner_id: UUID) -> Sequence[Upload]:
    """In the order of their ids, held until the end of the unit of work."""
    statement = select(Upload).where(Upload.owner_id == owner_id).order_by(Upload.id).with_for_update()
    return (await session.scalars(statement.execution_options(populate_existing=True))).all()


async def claimed(session: AsyncSession, owner_id: UUID) -> set[UUID]:
    """Those of a person's uploads that somebody still uses."""
    statement = (
        select(UploadClaim.upload_id)
        .join(Upload, Upload.id == UploadClaim.upload_id)
        .where(Upload.owner_id == owner_id)
        .distinct()
    )
    return set((await session.scalars(statement)).all())


async def claimed_of(session: AsyncSession, upload_ids: Sequence[UUID]) -> set[UUID]:
    """Those of these uploads that somebody uses."""
    statement = select(UploadClaim.upload_id).where(UploadClaim.upload_id.in_(upload_ids)).distinct()
    return set((await session.scalars(statement)).all())


async def remove_uses(session: AsyncSession, uses: Sequence[tuple[str, UUID]]) -> None:
    """Each (claimant, upload). The uploads must be locked."""
    await session.execute(
        delete(UploadClaim)
        .where(tuple_(UploadClaim.claimant, UploadClaim.upload_id).in_(uses))
        .execution_options(synchronize_session=False)
    )


async def forget_origin(session: AsyncSession, upload_ids: Sequence[UUID]) -> None:
    """What the picture was called and what its file was; its renditions stay."""
    statement = update(Upload).where(Upload.id.in_(upload_ids)).values(filename="", sha256=None)
    await session.execute(statement.execution_options(synchronize_session=False))
