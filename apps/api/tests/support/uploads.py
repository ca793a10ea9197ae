"""Pictures for tests of other things than media: rows as a finished upload leaves them, with no file behind them.

Inserting them takes a millisecond where a real upload takes a second; media's own tests and the journeys upload files.
"""

import json
from uuid import UUID

from memi.platform.ids import new_id
from support.sql import Sql

_RENDITION = {"width": 320, "height": 400, "content_type": "image/webp"}


async def make_upload(sql: Sql, owner_id: str, status: str = "READY") -> str:
    """The id of a new upload of `owner_id` in `status`."""
    upload_id = new_id()
    ready = status == "READY"
    await sql.execute(
        """
        INSERT INTO uploads (id, owner_id, filename, content_type, size, status, rejection_code, incoming_key,
                             original_key, width, height, blurhash, renditions, url_expires_at)
        VALUES ($1, $2, 'photo.jpg', 'image/jpeg', 1000, $3, $4, $5, $6, $7, $8, $9, $10, now())
        """,
        upload_id,
        UUID(owner_id),
        status,
        "not_an_image" if status == "REJECTED" else None,
        f"incoming/{upload_id}",
        f"originals/{upload_id}",
        800 if ready else None,
        1000 if ready else None,
        "LEHV6nWB2yk8pyo0adR*.7kCMdnj" if ready else None,
        json.dumps([{**_RENDITION, "key": f"public/{upload_id}.webp"}]) if ready else None,
    )
    return str(upload_id)


async def finish_upload(sql: Sql, upload_id: str) -> None:
    """Make a processing upload READY, as its job would."""
    await sql.execute(
        "UPDATE uploads SET status = 'READY', blurhash = 'LEHV6nWB2yk8pyo0adR*.7kCMdnj', renditions = $2 WHERE id = $1",
        UUID(upload_id),
        json.dumps([{**_RENDITION, "key": f"public/{upload_id}.webp"}]),
    )
