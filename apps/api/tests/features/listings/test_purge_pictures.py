"""A stub shows its cover, and nothing is left of the file that it was made of."""

from uuid import UUID

from memi.listings import jobs
from memi.media.store import Area, new_key, store_of
from memi.platform.runtime import Runtime
from support.items import make_listing
from support.lives import RunJobs
from support.people import People
from support.purges import deleted, is_stub, pictures, talked_of
from support.sql import Sql

FILES = """
UPDATE uploads SET incoming_key = $2, original_key = $3, sha256 = repeat('a', 64), filename = 'my-room.jpg',
    renditions = jsonb_set(renditions, '{0,key}', to_jsonb($4::text)) WHERE id = $1
"""
UPLOAD = "SELECT filename, sha256, status, unclaimed_since FROM uploads WHERE id = $1"


async def test_the_original_of_a_cover_goes_with_its_name_and_hash(
    people: People, sql: Sql, runtime: Runtime, run_jobs: RunJobs
) -> None:
    talk, store = await talked_of(people, sql), store_of(runtime.adapters)
    cover = (await pictures(sql, talk.id))[0]
    incoming, original, shown = [new_key(area) for area in (Area.INCOMING, Area.ORIGINALS, Area.PUBLIC)]
    for key in (incoming, original, shown):
        await store.put(key, b"picture", "image/webp")
    await sql.execute(FILES, UUID(cover), incoming, original, shown)
    # What else shows it needs no original either: all that is shown was made when it was uploaded.
    twin = (await make_listing(talk.seller, sql, images=[cover]))["id"]
    seen = (await talk.buyer.get(f"/listings/{twin}")).json()["images"]
    await deleted(talk.seller, sql, talk.id)
    await jobs.purge_deleted.run(runtime)
    await run_jobs()
    assert await is_stub(sql, talk.id)
    assert [await store.size(key) for key in (incoming, original, shown)] == [None, None, 7]
    assert await sql.rows(UPLOAD, UUID(cover)) == [
        {"filename": "", "sha256": None, "status": "READY", "unclaimed_since": None}
    ]
    assert (await talk.buyer.get(f"/listings/{twin}")).json()["images"] == seen
    assert shown in (await talk.buyer.get(f"/chats/{talk.chat}")).json()["listing"]["cover"]["url"]
