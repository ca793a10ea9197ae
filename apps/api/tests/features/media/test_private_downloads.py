"""Private objects and the addresses that open them for a while."""

import io
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest

from memi.media.local_store import CHUNK_BYTES
from memi.media.store import Area, ObjectStore, new_key, store_of
from memi.platform.runtime import Runtime

CONTENT = bytes(range(256)) * (CHUNK_BYTES // 256 * 3)


@pytest.fixture
def store(runtime: Runtime) -> ObjectStore:
    return store_of(runtime.adapters)


@pytest.fixture
async def key(store: ObjectStore) -> str:
    found = new_key(Area.EXPORTS, ".zip")
    file = io.BytesIO(b"skipped" + CONTENT)
    file.seek(7)
    await store.put_file(found, file, "application/zip")
    return found


def url(store: ObjectStore, key: str, seconds: float = 60) -> str:
    given = store.presign_get(key, "yours.zip", "application/zip", timedelta(seconds=seconds))
    return urlsplit(given).path


async def test_whoever_has_the_address_reads_the_whole_file_under_its_name(
    store: ObjectStore, key: str, client: httpx.AsyncClient
) -> None:
    reply = await client.get(url(store, key))
    assert reply.status_code == 200
    assert reply.content == CONTENT
    assert reply.headers["content-type"] == "application/zip"
    assert reply.headers["content-length"] == str(len(CONTENT))
    assert reply.headers["content-disposition"] == 'attachment; filename="yours.zip"'
    assert reply.headers["cache-control"] == "private, no-store"


async def test_an_address_ends(store: ObjectStore, key: str, client: httpx.AsyncClient) -> None:
    reply = await client.get(url(store, key, -1))
    assert (reply.status_code, reply.json()["code"]) == (403, "download_url_expired")


async def test_a_changed_address_opens_nothing(store: ObjectStore, key: str, client: httpx.AsyncClient) -> None:
    path = url(store, key)
    for wrong in (path[:-2], path[:-8] + "AAAAAAAA", "/media/private/" + "A" * 80, "/media/private/%C3%A9"):
        reply = await client.get(wrong)
        assert (reply.status_code, reply.json()["code"]) == (403, "invalid_download_signature"), wrong


async def test_the_permission_to_put_a_file_is_none_to_read_it(store: ObjectStore, client: httpx.AsyncClient) -> None:
    given = store.presign_put(new_key(Area.INCOMING), "image/jpeg", 10, timedelta(seconds=60)).url
    token = urlsplit(given).path.rpartition("/")[2]
    assert (await client.get(f"/media/private/{token}")).json()["code"] == "invalid_download_signature"


async def test_a_private_object_is_not_public(store: ObjectStore, key: str, client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/media/public/{key.partition('/')[2]}")).status_code == 404


async def test_what_was_deleted_is_gone(store: ObjectStore, key: str, client: httpx.AsyncClient) -> None:
    path = url(store, key)
    await store.delete([key])
    assert (await client.get(path)).status_code == 404
