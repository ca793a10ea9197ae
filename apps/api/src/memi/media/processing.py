"""The steps of an upload's way from UPLOADED to READY or REJECTED, each one unit of work."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.media import queries
from memi.media.disposal import discard
from memi.media.events import UploadReady, UploadRejected
from memi.media.models import Upload
from memi.media.results import ProcessedImage, RejectionCode
from memi.platform import clock
from memi.platform.events import publish


async def begin(session: AsyncSession, upload_id: UUID, cap: int) -> Upload | None:
    """Count an attempt; None when there is nothing (more) to do. After `cap` attempts the picture is given up."""
    upload = await queries.lock(session, upload_id)
    if upload is None or upload.status not in ("UPLOADED", "PROCESSING"):
        return None
    if upload.attempts >= cap:
        await reject(session, upload, RejectionCode.PROCESSING_FAILED)
        return None
    await _drop_unfinished(session, upload)
    upload.status, upload.moved_at = "PROCESSING", clock.now()
    upload.attempts += 1
    return upload


async def plan(session: AsyncSession, upload_id: UUID, attempt: int, keys: Sequence[str]) -> bool:
    """Note the public objects that this attempt is about to write; whether it is still the present attempt."""
    upload = await _of_attempt(session, upload_id, attempt)
    if upload is None:
        return False
    upload.pending_keys = list(keys)
    return True


async def succeed(
    session: AsyncSession, upload_id: UUID, attempt: int, image: ProcessedImage, keys: Sequence[str]
) -> None:
    """Show the picture, unless another attempt took over meanwhile: then what this one wrote goes."""
    upload = await _of_attempt(session, upload_id, attempt)
    if upload is None:
        await discard(session, keys)
        return
    renditions: list[dict[str, Any]] = [
        {"key": key, "width": made.width, "height": made.height, "content_type": made.content_type}
        for key, made in zip(keys, image.renditions, strict=True)
    ]
    upload.status, upload.pending_keys, upload.renditions = "READY", [], renditions
    upload.width, upload.height, upload.blurhash, upload.phash = image.width, image.height, image.blurhash, image.phash
    upload.moved_at = upload.finished_at = clock.now()
    publish(session, UploadReady(upload.id, upload.owner_id))


async def refuse(session: AsyncSession, upload_id: UUID, attempt: int, code: RejectionCode) -> None:
    """Reject the picture, if this is still the present attempt."""
    upload = await _of_attempt(session, upload_id, attempt)
    if upload is not None:
        await reject(session, upload, code)


async def reject(session: AsyncSession, upload: Upload, code: RejectionCode) -> None:
    """Refuse a locked upload for good and have all its objects deleted."""
    upload.status, upload.rejection_code = "REJECTED", code.value
    upload.moved_at = upload.finished_at = clock.now()
    await discard(session, [upload.incoming_key, upload.original_key, *upload.pending_keys])
    upload.pending_keys = []
    publish(session, UploadRejected(upload.id, upload.owner_id, code.value))


async def _of_attempt(session: AsyncSession, upload_id: UUID, attempt: int) -> Upload | None:
    upload = await queries.lock(session, upload_id)
    stands = upload is not None and upload.status == "PROCESSING" and upload.attempts == attempt
    return upload if stands else None


async def _drop_unfinished(session: AsyncSession, upload: Upload) -> None:
    await discard(session, upload.pending_keys)
    upload.pending_keys = []
