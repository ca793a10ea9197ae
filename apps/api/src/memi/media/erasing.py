"""Pictures, or what they came as, that must be gone at once, and not when the sweep finds that nobody wants them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.media import personal_queries, queries
from memi.media.disposal import discard
from memi.media.models import Upload

_KEYS_AT_ONCE = 500


async def give_up(session: AsyncSession, uses: Sequence[tuple[str, UUID]]) -> None:
    """End these uses, each (claimant, upload); rows and files of what nobody else uses go with this unit of work."""
    if not uses:
        return
    uploads = await queries.lock_many(session, [upload_id for _, upload_id in uses])
    await personal_queries.remove_uses(session, uses)
    used = await personal_queries.claimed_of(session, [upload.id for upload in uploads])
    unused = [upload for upload in uploads if upload.id not in used]
    keys = [key for upload in unused for key in _objects(upload)]
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        await discard(session, keys[start : start + _KEYS_AT_ONCE])
    if unused:
        await queries.remove(session, unused)


async def keep_renditions_only(session: AsyncSession, upload_ids: Sequence[UUID]) -> None:
    """Have nothing left of finished pictures but what is shown of them: once READY, nothing reads the rest."""
    uploads = [upload for upload in await queries.lock_many(session, upload_ids) if upload.status == "READY"]
    await discard(session, [key for upload in uploads for key in (upload.incoming_key, upload.original_key)])
    await personal_queries.forget_origin(session, [upload.id for upload in uploads])


def _objects(upload: Upload) -> list[str]:
    shown = [str(rendition["key"]) for rendition in upload.renditions or ()]
    return [upload.incoming_key, upload.original_key, *upload.pending_keys, *shown]
