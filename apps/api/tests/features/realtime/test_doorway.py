"""Strangers at the door: how often an address may open sockets, and how many may stand there without signing in."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.limits import POLICIES, Limit
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.realtime.doorway import WAITING_PER_ADDRESS
from support.people import People
from support.server import ApiProcess, api_processes
from support.sockets import open_socket, raw_socket
from support.talks import Talks

AUTH_SECONDS = 3


@pytest.fixture
async def api(database_urls: EmbeddedUrls, settings: Settings, runtime: Runtime) -> AsyncIterator[ApiProcess]:
    """Limited, and counting from nothing in each test; it believes this machine about the client's address."""
    limits = {"rate_limits": "on", "socket_auth_seconds": AUTH_SECONDS, "trusted_proxies": "127.0.0.1/32"}
    async with api_processes(database_urls, settings, 1, **limits) as (started,):
        yield started


def coming_from(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


async def refused_by(url: str, address: str) -> InvalidStatus:
    with pytest.raises(InvalidStatus) as refused:
        async with raw_socket(url, additional_headers=coming_from(address)):
            pass
    return refused.value


async def test_an_address_keeps_only_so_many_sockets_that_nobody_signed_in_on(api: ApiProcess, people: People) -> None:
    person = await people.new()
    async with AsyncExitStack() as stack:
        waiting: list[ClientConnection] = [
            await stack.enter_async_context(raw_socket(api.socket_url, additional_headers=coming_from("192.0.2.1")))
            for _ in range(WAITING_PER_ADDRESS)
        ]
        reply = (await refused_by(api.socket_url, "192.0.2.1")).response
        assert reply.status_code == 429
        assert reply.headers["retry-after"] == str(AUTH_SECONDS)
        assert reply.headers["content-type"] == "application/problem+json"
        assert json.loads(reply.body or b"")["code"] == "rate_limited"
        async with open_socket(api.socket_url, person, additional_headers=coming_from("192.0.2.2")) as other:
            assert await other.ack("ping") == {}
        # One that signs in leaves its place to the next.
        await waiting[0].send(json.dumps({"type": "auth", "data": {"access_token": person.access_token}}))
        assert json.loads(await waiting[0].recv())["type"] == "ready"
        await stack.enter_async_context(raw_socket(api.socket_url, additional_headers=coming_from("192.0.2.1")))
        await refused_by(api.socket_url, "192.0.2.1")
        # So do those that were let go for saying nothing.
        await asyncio.sleep(AUTH_SECONDS + 0.5)
        await stack.enter_async_context(raw_socket(api.socket_url, additional_headers=coming_from("192.0.2.1")))


async def test_an_address_may_try_only_so_often(api: ApiProcess) -> None:
    for _ in range(POLICIES[Limit.SOCKET].address.item.amount):
        async with raw_socket(api.socket_url, additional_headers=coming_from("192.0.2.3")):
            pass
    reply = (await refused_by(api.socket_url, "192.0.2.3")).response
    assert reply.status_code == 429
    assert 0 < int(reply.headers["retry-after"]) <= 120
    async with raw_socket(api.socket_url, additional_headers=coming_from("192.0.2.4")):
        pass


async def test_messages_over_sockets_and_http_count_together(api: ApiProcess, talks: Talks) -> None:
    talk = await talks.new()
    limit = POLICIES[Limit.CHAT_SEND].account
    assert limit is not None
    async with open_socket(api.socket_url, talk.buyer) as socket:
        for number in range(limit.item.amount):
            if number % 30 == 29:
                await asyncio.sleep(1)  # commands have a budget of their own
            await socket.ack("chat.send", chat_id=talk.id, body=f"line {number}")
        refused = await socket.error("chat.send", chat_id=talk.id, body="one too many")
        assert refused["code"] == "rate_limited"
        assert 0 < refused["retry_after"] <= 120
        assert await socket.ack("ping") == {}
    async with open_socket(api.socket_url, talk.seller) as other:
        assert (await other.ack("chat.send", chat_id=talk.id, body="hello"))["body"] == "hello"
    messages = (await talk.seller.get(f"/chats/{talk.id}/messages?limit=100")).json()["items"]
    assert "one too many" not in [message["body"] for message in messages]
