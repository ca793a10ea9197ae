"""Background work on uploads: processing, and sweeping what nobody wants."""

from datetime import timedelta
from uuid import UUID

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from memi.media import processing, queries
from memi.media.disposal import discard
from memi.media.models import Upload
from memi.media.processing_pool import ImagePool
from memi.media.results import ImageRejected, ProcessedImage, RejectionCode
from memi.media.store import Area, new_key, store_of
from memi.platform.jobs import enqueue, job, recurring
from memi.platform.runtime import Runtime

log = structlog.get_logger(__name__)
_SUFFIXES = {"image/webp": ".webp", "image/avif": ".avif"}
_SWEEP_BATCH = 200
_STALLED = timedelta(minutes=30)


class ProcessUpload(msgspec.Struct, frozen=True):
    upload_id: UUID


@job(ProcessUpload)
async def process_upload(payload: ProcessUpload, runtime: Runtime) -> None:
    """Make the renditions of an upload. Each attempt is known by its number; a later one overrules an earlier one."""
    cap = runtime.settings.job_attempts
    async with runtime.unit_of_work() as session:
        upload = await processing.begin(session, payload.upload_id, cap)
    if upload is None:
        return
    attempt = upload.attempts
    try:
        image = await _decode(upload, runtime)
        await _show(upload.id, attempt, image, runtime)
    except ImageRejected as rejection:
        async with runtime.unit_of_work() as session:
            await processing.refuse(session, upload.id, attempt, rejection.code)
    except Exception:
        # Retried by the queue; but the last failure must be told, or the owner would wait for ever.
        if attempt < cap:
            raise
        log.exception("upload_given_up", upload_id=str(upload.id), attempt=attempt)
        async with runtime.unit_of_work() as session:
            await processing.refuse(session, upload.id, attempt, RejectionCode.PROCESSING_FAILED)


async def _decode(upload: Upload, runtime: Runtime) -> ProcessedImage:
    settings = runtime.settings
    async with store_of(runtime.adapters).local_copy(upload.original_key) as path:
        return await runtime.adapters.get(ImagePool).process(
            path,
            declared_type=upload.content_type,
            max_pixels=settings.upload_max_pixels,
            avif=settings.media_avif,
        )


async def _show(upload_id: UUID, attempt: int, image: ProcessedImage, runtime: Runtime) -> None:
    keys = [new_key(Area.PUBLIC, _SUFFIXES[made.content_type]) for made in image.renditions]
    # Named before they are written: should this process die in between, the next attempt knows what to remove.
    async with runtime.unit_of_work() as session:
        if not await processing.plan(session, upload_id, attempt, keys):
            return
    store = store_of(runtime.adapters)
    for key, made in zip(keys, image.renditions, strict=True):
        await store.put(key, made.data, made.content_type)
    async with runtime.unit_of_work() as session:
        await processing.succeed(session, upload_id, attempt, image, keys)


@recurring(timedelta(minutes=10))
async def sweep_uploads(runtime: Runtime) -> None:
    """Delete uploads that nobody claims, with their files, and put stalled ones back into the queue."""
    patience = timedelta(hours=runtime.settings.upload_orphan_hours)
    removed = _SWEEP_BATCH
    while removed == _SWEEP_BATCH:
        async with runtime.unit_of_work() as session:
            removed = await _sweep_batch(session, patience)
    async with runtime.unit_of_work() as session:
        for upload_id in await queries.stalled(session, _STALLED, _SWEEP_BATCH):
            await enqueue(session, process_upload, ProcessUpload(upload_id), key=str(upload_id))
    await store_of(runtime.adapters).prune_incoming(patience)


async def _sweep_batch(session: AsyncSession, patience: timedelta) -> int:
    orphans = await queries.lock_orphans(session, patience, _SWEEP_BATCH)
    if orphans:
        await discard(session, [key for upload in orphans for key in _objects(upload)])
        await queries.remove(session, orphans)
    return len(orphans)


def _objects(upload: Upload) -> list[str]:
    shown = [str(rendition["key"]) for rendition in upload.renditions or ()]
    return [upload.incoming_key, upload.original_key, *upload.pending_keys, *shown]
