"""Files that are no photos, sent to a real server: each is refused with its own code, and memory stays flat."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from memi import parts
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.job_runner import JobRunner
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.people import People, Person
from support.photos import announce, huge_png, photo, put, upload
from support.server import ApiProcess, api_processes

TEXT = b"This is not a photo."
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'
GROWTH = 24 * 1024 * 1024
"""Most that the server may grow by: under two of the files it is sent at once, of which there are twelve."""


@pytest.fixture(scope="module")
async def api(database_urls: EmbeddedUrls, settings: Settings) -> AsyncIterator[ApiProcess]:
    async with api_processes(database_urls, settings, 1) as (started,):
        yield started


@pytest.fixture(scope="module")
async def seller(api: ApiProcess, runtime: Runtime) -> AsyncIterator[Person]:
    async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
        yield await People(client, runtime).new("Seller")


async def verdict(seller: Person, runtime: Runtime, data: bytes, content_type: str = "image/jpeg") -> tuple[str, str]:
    """(status, code) of an upload when everything that could be done with it is done."""
    made = await upload(seller, data, content_type)
    await JobRunner(runtime, parts.JOBS).drain()
    ended: dict[str, Any] = (await seller.get(f"/uploads/{made['id']}")).json()
    assert (ended["renditions"] == []) == (ended["status"] != "READY")
    return ended["status"], ended["code"]


async def test_a_text_file_named_photo(seller: Person, runtime: Runtime) -> None:
    assert len(TEXT) == 20
    assert await verdict(seller, runtime, TEXT) == ("REJECTED", "not_an_image")


async def test_nine_hundred_megapixels(api: ApiProcess, seller: Person, runtime: Runtime) -> None:
    data = huge_png(30_000)
    before = api.memory()
    assert await verdict(seller, runtime, data, "image/png") == ("REJECTED", "too_many_pixels")
    assert api.peak() - before < GROWTH


async def test_a_truncated_photo(seller: Person, runtime: Runtime) -> None:
    data = photo(1200, 900)
    assert await verdict(seller, runtime, data[: len(data) // 2]) == ("REJECTED", "truncated")


async def test_a_drawing(seller: Person, runtime: Runtime) -> None:
    body = {"filename": "drawing.svg", "content_type": "image/svg+xml", "size": len(SVG)}
    refused = await seller.post("/uploads", body)
    assert refused.status_code == 422
    assert [error["code"] for error in refused.json()["errors"]] == ["unsupported_type"]
    assert await verdict(seller, runtime, SVG, "image/png") == ("REJECTED", "unsupported_type")


async def test_another_type_than_announced(seller: Person, runtime: Runtime) -> None:
    assert await verdict(seller, runtime, photo(), "image/webp") == ("REJECTED", "type_mismatch")


async def test_an_honest_photo_is_ready(api: ApiProcess, seller: Person, runtime: Runtime) -> None:
    made = await upload(seller, photo(800, 600))
    await JobRunner(runtime, parts.JOBS).drain()
    ready = (await seller.get(f"/uploads/{made['id']}")).json()
    assert (ready["status"], ready["code"]) == ("READY", None)
    for rendition in ready["renditions"]:
        assert rendition["url"].startswith("http://127.0.0.1:")
        path = "/media/public/" + rendition["url"].rpartition("/")[2]
        assert (await seller.client.get(path)).headers["content-type"] == "image/webp"


async def test_many_large_files_at_once_leave_memory_flat(api: ApiProcess, seller: Person, settings: Settings) -> None:
    large = TEXT.ljust(settings.upload_max_bytes, b"\0")

    async def bring() -> None:
        ticket = await announce(seller, large)
        assert (await put(seller.client, ticket, large)).status_code == 200
        ended = (await seller.post(f"/uploads/{ticket['id']}/complete")).json()
        assert (ended["status"], ended["code"]) == ("REJECTED", "not_an_image")

    await bring()
    before = api.memory()
    await asyncio.gather(*(bring() for _ in range(12)))
    assert api.peak() - before < GROWTH
