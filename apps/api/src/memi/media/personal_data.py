"""What is kept of people here: the pictures they uploaded."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.media import personal_queries, queries
from memi.media.disposal import discard
from memi.media.models import Upload
from memi.media.store import store_of
from memi.platform.personal_data import Batch, Kind, PersonalData
from memi.platform.unit_of_work import adapters_of

_PAGE = 200


async def _pictures(session: AsyncSession, user_id: UUID, after: UUID | None) -> Batch:
    store = store_of(adapters_of(session))
    rows = await personal_queries.of_owner(session, user_id, after, _PAGE)
    records = [
        {
            "id": row.id,
            "filename": row.filename,
            "content_type": row.content_type,
            "size": row.size,
            "status": row.status,
            "rejection_code": row.rejection_code,
            "created_at": row.created_at,
            "urls": [store.public_url(item["key"]) for item in row.renditions or ()],
        }
        for row in rows
    ]
    return Batch(records, rows[-1].id if len(rows) == _PAGE else None)


async def _erase(session: AsyncSession, user_id: UUID) -> None:
    """Files and rows of what nobody uses; of the rest all but the renditions. Runs after all who may use them."""
    uploads = await personal_queries.lock_all(session, user_id)
    used = await personal_queries.claimed(session, user_id)
    unused = [item for item in uploads if item.id not in used]
    await discard(session, [key for item in uploads for key in (item.incoming_key, item.original_key)])
    await discard(session, [key for item in unused for key in _shown(item)])
    if unused:
        await queries.remove(session, unused)
    if used:
        await personal_queries.forget_origin(session, sorted(used))


def _shown(upload: Upload) -> list[str]:
    return [*upload.pending_keys, *(str(item["key"]) for item in upload.renditions or ())]


PERSONAL_DATA = PersonalData(
    feature="media",
    kinds=(Kind("pictures", "Pictures you uploaded, with the addresses at which they can be seen.", _pictures),),
    erase=_erase,
    kept={
        "uploads.owner_id": "covers of items and pictures in chats that the other side still sees; "
        "the original, its name and every other picture go"
    },
)
