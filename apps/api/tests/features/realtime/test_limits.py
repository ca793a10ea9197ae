"""What one client cannot do to the others: floods, long frames, slow reading."""

import asyncio
import contextlib
import json
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.settings import Settings
from support.people import People, Person
from support.server import ApiProcess, api_processes
from support.sockets import open_socket, raw_socket
from support.sql import Sql
from support.talks import Talks


class TestFrames:
    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("{", "malformed_json"),
            ("[]", "validation_failed"),
            ('{"type": "dance"}', "unknown_command"),
            ('{"type": "subscribe", "data": {}}', "validation_failed"),
            ('{"type": "chat.send", "data": ' + '{"a":' * 900 + "1" + "}" * 901, "json_too_deep"),
            ('{"type": "chat.read", "data": {"seq": ' + "9" * 60_000 + "}}", "number_too_long"),
        ],
    )
    async def test_wrong_ones_are_answered_and_the_socket_lives(
        self, apis: list[ApiProcess], people: People, text: str, code: str
    ) -> None:
        async with open_socket(apis[0].socket_url, await people.new()) as socket:
            await socket.connection.send(text)
            await socket.until(lambda: socket.events)
            assert socket.events[0]["data"]["code"] == code
            assert await socket.ack("ping") == {}

    async def test_every_wrong_field_is_named(self, apis: list[ApiProcess], people: People) -> None:
        async with open_socket(apis[0].socket_url, await people.new()) as socket:
            error = await socket.error("chat.send", chat_id="x", body="", client_id=7, extra=1)
            assert {(item["pointer"], item["code"]) for item in error["errors"]} == {
                ("/chat_id", "bad_format"),
                ("/body", "too_short"),
                ("/client_id", "wrong_type"),
                ("/extra", "unknown_field"),
            }

    async def test_too_long_ones_end_it(self, apis: list[ApiProcess], people: People) -> None:
        async with open_socket(apis[0].socket_url, await people.new()) as socket:
            await socket.connection.send(json.dumps({"type": "ping", "data": {"x": "y" * 70_000}}))
            assert await socket.close_code() == 1009

    async def test_binary_ones_end_it(self, apis: list[ApiProcess], people: People) -> None:
        async with open_socket(apis[0].socket_url, await people.new()) as socket:
            await socket.connection.send(b"\x00\x01")
            assert await socket.close_code() == 1003


class TestFloods:
    async def test_commands_beyond_the_budget_are_refused(self, apis: list[ApiProcess], people: People) -> None:
        async with open_socket(apis[0].socket_url, await people.new()) as socket:
            replies = await asyncio.gather(*(socket.call("ping") for _ in range(60)))
            kinds = [reply["data"].get("code", "ack") for reply in replies]
            assert 40 <= kinds.count("ack") <= 50
            assert kinds.count("too_many_commands") == 60 - kinds.count("ack")
            await asyncio.sleep(0.3)
            assert await socket.ack("ping") == {}


_HANDSHAKE = (
    "GET /api/v1/ws HTTP/1.1\r\nHost: memi\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Authorization: Bearer {token}\r\n\r\n"
)


class TestHeartbeat:
    async def test_who_answers_no_ping_is_let_go(self, apis: list[ApiProcess], people: People) -> None:
        person = await people.new()
        host, _, port = apis[0].url.removeprefix("http://").partition(":")
        async with open_socket(apis[0].socket_url, person) as lively:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(_HANDSHAKE.format(token=person.access_token).encode())
            async with asyncio.timeout(8):  # a ping after 1 s, and 2 s to answer it
                said = await reader.read()
            writer.close()
            assert b'"type":"ready"' in said
            assert b"keepalive ping timeout" in said
            assert await lively.ack("ping") == {}


@asynccontextmanager
async def reading_nothing(api: ApiProcess, person: Person) -> AsyncIterator[ClientConnection]:
    """A socket that reads its `ready` and then stops, with little room in the kernel."""
    narrow = sockets.socket()
    narrow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 32_768)
    narrow.setblocking(False)
    host, _, port = api.url.removeprefix("http://").partition(":")
    await asyncio.get_running_loop().sock_connect(narrow, (host, int(port)))
    async with raw_socket(api.socket_url, sock=narrow, additional_headers=person.headers, max_queue=1) as connection:
        assert json.loads(await connection.recv())["type"] == "ready"
        connection.transport.pause_reading()
        yield connection


class TestSlowReaders:
    async def test_are_closed_hold_nobody_up_and_resume(
        self, database_urls: EmbeddedUrls, settings: Settings, talks: Talks
    ) -> None:
        talk = await talks.new()
        number = 420  # at 16 KB each more than the kernel's buffers, the server's and the queue together hold
        async with (
            api_processes(database_urls, settings, 1, socket_queue=32) as (api,),
            open_socket(api.socket_url, talk.buyer) as quick,
            reading_nothing(api, talk.seller) as slow,
        ):
            for _ in range(number):
                await talk.say(talk.buyer, "\N{COAT}" * 4000)  # one at a time: the quick one must be able to keep up
            await quick.until(lambda: len(quick.seqs(talk.id)) == number, 20)
            assert quick.seqs(talk.id) == list(range(2, number + 2))
            slow.transport.resume_reading()
            got: list[int] = []
            async with asyncio.timeout(15):
                with contextlib.suppress(ConnectionClosed):
                    while True:
                        got.append(json.loads(await slow.recv())["data"]["seq"])
            assert slow.close_code == 1013
            assert got == list(range(2, len(got) + 2)), "what did come is whole as far as it goes"
            assert len(got) < number
            async with open_socket(api.socket_url, talk.seller) as again:
                after = got[-1]
                while after is not None:
                    page = await again.ack("subscribe", chat_id=talk.id, after_seq=after)
                    got += [item["seq"] for item in page["items"]]
                    after = page["next_after_seq"]
            assert got == list(range(2, number + 2))

    async def test_say_nothing_more_once_their_session_ended(
        self, database_urls: EmbeddedUrls, settings: Settings, talks: Talks, sql: Sql
    ) -> None:
        talk = await talks.new()
        async with (
            api_processes(database_urls, settings, 1, socket_queue=1000) as (api,),
            reading_nothing(api, talk.seller) as slow,
        ):
            for _ in range(420):  # the close has to wait behind them
                await talk.say(talk.buyer, "\N{COAT}" * 4000)
            await talk.seller.post("/auth/logout", {"refresh_token": talk.seller.refresh_token})
            await asyncio.sleep(2)
            send = {"type": "chat.send", "data": {"chat_id": talk.id, "body": "Still here"}}
            await slow.send(json.dumps(send))
            await asyncio.sleep(1)
            said = await sql.value("SELECT count(*) FROM messages WHERE sender_id = $1", UUID(talk.seller.id))
            assert said == 0
            slow.transport.abort()
