"""Rules of uploads: announcing, completing, and who uses them."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.media import processing, queries
from memi.media.disposal import discard
from memi.media.errors import UploadNotReceived
from memi.media.jobs import ProcessUpload, process_upload
from memi.media.models import Upload
from memi.media.results import ImageRejected, RejectionCode, accepted_type, check_type
from memi.media.schemas import ImageRead, RenditionRead, UploadCreate, UploadRead, UploadTicket
from memi.media.sniffing import HEAD_BYTES
from memi.media.store import Area, ObjectStore, PresignedPut, new_key, store_of
from memi.platform import clock
from memi.platform.errors import FieldError, NotFound, ValidationFailed
from memi.platform.jobs import enqueue
from memi.platform.settings import Settings
from memi.platform.unit_of_work import adapters_of

MAX_IMAGES = 8
_GOOD_WIDTH = 1080
_SMALL_WIDTH = 640
_COMMON = "image/webp"
_CHUNK = 1024 * 1024


async def create(session: AsyncSession, owner_id: UUID, wanted: UploadCreate) -> UploadTicket:
    """Announce an upload; raises `ValidationFailed` with `unsupported_type` or `too_large`."""
    settings = adapters_of(session).get(Settings)
    content_type = wanted.content_type.lower()
    errors: list[FieldError] = []
    if accepted_type(content_type) is None:
        errors.append(FieldError("/content_type", "unsupported_type", "Send JPEG, PNG, WebP, HEIC or AVIF."))
    if wanted.size > settings.upload_max_bytes:
        errors.append(FieldError("/size", "too_large", f"Must be at most {settings.upload_max_bytes} bytes."))
    if errors:
        raise ValidationFailed(errors)
    key = new_key(Area.INCOMING)
    lifetime = timedelta(seconds=settings.upload_url_seconds)
    put = store_of(adapters_of(session)).presign_put(key, content_type, wanted.size, lifetime)
    upload = Upload(
        owner_id=owner_id,
        filename=wanted.filename,
        content_type=content_type,
        size=wanted.size,
        sha256=wanted.sha256.lower() if wanted.sha256 else None,
        incoming_key=key,
        original_key=new_key(Area.ORIGINALS),
        url_expires_at=put.expires_at,
    )
    session.add(upload)
    await session.flush()
    return _ticket(upload, put)


def _ticket(upload: Upload, put: PresignedPut) -> UploadTicket:
    return UploadTicket(
        id=upload.id,
        status="PENDING",
        method=put.method,
        url=put.url,
        headers=put.headers,
        expires_at=put.expires_at,
    )


async def read(session: AsyncSession, owner_id: UUID, upload_id: UUID) -> UploadRead:
    """One's own upload; raises `NotFound`."""
    upload = await queries.of_owner(session, upload_id, owner_id)
    if upload is None:
        raise NotFound
    return _to_read(session, upload)


async def complete(session: AsyncSession, owner_id: UUID, upload_id: UUID) -> UploadRead:
    """Take what arrived and queue its processing, or reject it; doing so again changes nothing.

    Raises `NotFound`, and `UploadNotReceived` while there is no file.
    """
    upload = await queries.of_owner(session, upload_id, owner_id, lock=True)
    if upload is None:
        raise NotFound
    if upload.status == "PENDING":
        try:
            code = await _take(store_of(adapters_of(session)), upload)
        except FileNotFoundError:
            raise UploadNotReceived from None
        if code is not None:
            await processing.reject(session, upload, code)
        else:
            upload.status, upload.moved_at = "UPLOADED", clock.now()
            await discard(session, [upload.incoming_key])
            await enqueue(session, process_upload, ProcessUpload(upload.id), key=str(upload.id))
    return _to_read(session, upload)


async def _take(store: ObjectStore, upload: Upload) -> RejectionCode | None:
    """Copy the file to its private key and check the copy, which nobody can change any more."""
    if await store.size(upload.incoming_key) not in (None, upload.size):
        return RejectionCode.SIZE_MISMATCH
    await store.copy(upload.incoming_key, upload.original_key)
    async with store.local_copy(upload.original_key) as path:
        return await asyncio.to_thread(_check, path, upload.content_type, upload.size, upload.sha256)


def _check(path: Path, content_type: str, size: int, sha256: str | None) -> RejectionCode | None:
    if path.stat().st_size != size:
        return RejectionCode.SIZE_MISMATCH
    with path.open("rb") as file:
        try:
            check_type(file.read(HEAD_BYTES), content_type)
        except ImageRejected as rejection:
            return rejection.code
        if sha256 is not None:
            file.seek(0)
            digest = hashlib.sha256()
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
            if digest.hexdigest() != sha256:
                return RejectionCode.CHECKSUM_MISMATCH
    return None


async def attach(
    session: AsyncSession, owner_id: UUID, upload_ids: Sequence[UUID], claimant: str, *, pointer: str = "/images"
) -> list[Upload]:
    """Claim uploads of `owner_id` for `claimant`, in addition to what it claims; returns them locked, in that order.

    Raises `ValidationFailed`: `too_many`, and per item `repeated`, `unknown_upload`, `upload_not_received`,
    `upload_rejected`. One that is still being processed may be claimed.
    """
    if len(upload_ids) > MAX_IMAGES:
        raise ValidationFailed.of(pointer, "too_many", f"Must have at most {MAX_IMAGES} pictures.")
    if not upload_ids:
        return []
    found = {item.id: item for item in await queries.lock_many(session, upload_ids) if item.owner_id == owner_id}
    errors: list[FieldError] = []
    for position, upload_id in enumerate(upload_ids):
        wrong = _why_not(found.get(upload_id), repeated=upload_id in upload_ids[:position])
        if wrong is not None:
            errors.append(FieldError(f"{pointer}/{position}", *wrong))
    if errors:
        raise ValidationFailed(errors)
    await queries.add_claims(session, claimant, upload_ids)
    return [found[upload_id] for upload_id in upload_ids]


async def attach_one(session: AsyncSession, owner_id: UUID, upload_id: UUID, claimant: str, *, pointer: str) -> Upload:
    """Claim one upload, as `attach` does; what keeps it from being claimed is said of `pointer` itself."""
    found = await queries.lock_many(session, [upload_id])
    own = found[0] if found and found[0].owner_id == owner_id else None
    wrong = _why_not(own, repeated=False)
    if own is None or wrong is not None:
        raise ValidationFailed([FieldError(pointer, *(wrong or ()))])
    await queries.add_claims(session, claimant, [upload_id])
    return own


def _why_not(upload: Upload | None, *, repeated: bool) -> tuple[str, str] | None:
    """Code and message of what keeps an upload from being claimed."""
    if repeated:
        return "repeated", "Is in the list already."
    if upload is None:
        return "unknown_upload", "You have no such upload."
    if upload.status == "PENDING":
        return "upload_not_received", "The file was not completed yet."
    if upload.status == "REJECTED":
        return "upload_rejected", f"The picture was refused: {upload.rejection_code}."
    return None


async def lock(session: AsyncSession, upload_ids: Sequence[UUID]) -> None:
    """Hold these uploads in the order of their ids, for whoever lets go of many for several claimants."""
    if upload_ids:
        await queries.lock_many(session, upload_ids)


async def detach(session: AsyncSession, claimant: str, upload_ids: Sequence[UUID]) -> None:
    """Let go of uploads; those that nobody else claims are swept some hours later."""
    if upload_ids:
        await queries.lock_many(session, upload_ids)
        await queries.remove_claims(session, claimant, upload_ids)


async def claimants(session: AsyncSession, upload_id: UUID) -> list[str]:
    """Who uses the upload, such as `listing:<id>`."""
    return await queries.claimants(session, upload_id)


async def images(session: AsyncSession, upload_ids: Sequence[UUID]) -> dict[UUID, ImageRead]:
    """Pictures as everyone sees them, by upload id; unknown ids are absent."""
    if not upload_ids:
        return {}
    store = store_of(adapters_of(session))
    return {upload.id: _to_image(store, upload) for upload in await queries.by_ids(session, upload_ids)}


class SmallPicture(NamedTuple):
    """A finished picture at a size that is quick to look at."""

    owner_id: UUID
    data: bytes
    content_type: str
    width: int
    height: int


async def small_picture(session: AsyncSession, upload_id: UUID) -> SmallPicture | None:
    """None for what is not READY, or not there any more."""
    upload = next(iter(await queries.by_ids(session, [upload_id])), None)
    if upload is None or upload.status != "READY":
        return None
    sizes = [item for item in upload.renditions or () if item["content_type"] == _COMMON]
    small = [item for item in sizes if item["width"] <= _SMALL_WIDTH] or sizes[:1]
    if not small:
        return None
    best = max(small, key=lambda item: item["width"])
    try:
        async with store_of(adapters_of(session)).local_copy(best["key"]) as path:
            data = await asyncio.to_thread(path.read_bytes)
    except FileNotFoundError:
        return None
    return SmallPicture(upload.owner_id, data, best["content_type"], best["width"], best["height"])


def _to_image(store: ObjectStore, upload: Upload) -> ImageRead:
    renditions = _renditions(store, upload)
    common = [item for item in renditions if item.content_type == _COMMON]
    shown = max(
        (item for item in common if item.width <= _GOOD_WIDTH),
        key=lambda item: item.width,
        default=common[0] if common else None,
    )
    return ImageRead(
        id=upload.id,
        status=upload.status,
        url=shown.url if shown else None,
        width=shown.width if shown else None,
        height=shown.height if shown else None,
        blurhash=upload.blurhash,
        renditions=renditions,
    )


def _renditions(store: ObjectStore, upload: Upload) -> list[RenditionRead]:
    return [
        RenditionRead(store.public_url(item["key"]), item["width"], item["height"], item["content_type"])
        for item in upload.renditions or ()
    ]


def _to_read(session: AsyncSession, upload: Upload) -> UploadRead:
    return UploadRead(
        id=upload.id,
        status=upload.status,
        code=upload.rejection_code,
        filename=upload.filename,
        content_type=upload.content_type,
        size=upload.size,
        width=upload.width,
        height=upload.height,
        blurhash=upload.blurhash,
        renditions=_renditions(store_of(adapters_of(session)), upload),
        created_at=upload.created_at,
    )
