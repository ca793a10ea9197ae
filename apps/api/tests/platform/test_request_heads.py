"""What a real server does with request lines and headers that are too long or never end."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.settings import Settings
from support.server import ApiProcess, api_processes

_HEAD = b"GET /health/live HTTP/1.1\r\nHost: memi\r\n"


@pytest.fixture(scope="module")
async def api(database_urls: EmbeddedUrls, settings: Settings) -> AsyncIterator[ApiProcess]:
    async with api_processes(database_urls, settings, 1, header_seconds=1) as (started,):
        yield started


async def answer(api: ApiProcess, *parts: bytes) -> bytes:
    """Everything the server says until it closes; the parts come a moment apart."""
    address = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        async with asyncio.timeout(5):
            for part in parts:
                writer.write(part)
                await asyncio.sleep(0.1)
            return await reader.read()
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


async def test_endless_headers_are_refused(api: ApiProcess) -> None:
    said = await answer(api, _HEAD, b"X-Long: ", b"a" * 100_000)
    assert said.startswith(b"HTTP/1.1 431 ")
    assert b'"code":"headers_too_large"' in said


async def test_an_endless_address_is_refused(api: ApiProcess) -> None:
    assert (await answer(api, b"GET /api/v1/listings?q=", b"a" * 100_000)).startswith(b"HTTP/1.1 431 ")


async def test_headers_that_do_not_come_are_given_up(api: ApiProcess) -> None:
    said = await answer(api, _HEAD)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"headers_timed_out"' in said


async def test_also_of_a_later_request(api: ApiProcess) -> None:
    said = await answer(api, _HEAD + b"\r\n", _HEAD)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in said


async def test_a_connection_that_says_nothing_is_closed(api: ApiProcess) -> None:
    assert await answer(api) == b""


async def test_a_connection_that_is_kept_is_not(api: ApiProcess) -> None:
    async with httpx.AsyncClient(base_url=api.url, limits=httpx.Limits(max_connections=1)) as client:
        for _ in range(2):
            reply = await client.get("/health/live")
            assert reply.status_code == 200
            stream = reply.extensions["network_stream"]
            await asyncio.sleep(1.3)
            assert stream.get_extra_info("is_readable") is False, "the server left it open"
