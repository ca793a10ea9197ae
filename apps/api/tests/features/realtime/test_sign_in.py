"""How a socket begins, and how its sign-in ends it."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from memi.auth import sessions as auth
from memi.platform import clock
from memi.platform.permissions import Role
from memi.platform.principal import AccessTokens
from memi.platform.runtime import Runtime
from memi.users import service as users
from support.people import PASSWORD, People, Person
from support.server import ApiProcess
from support.sockets import open_socket, raw_socket
from support.sql import Sql


async def said_before_the_end(connection: ClientConnection) -> tuple[list[dict[str, Any]], int | None]:
    """(frames, close code) once the server has closed."""
    frames: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(5):
            while True:
                frames.append(json.loads(await connection.recv()))
    except ConnectionClosed:
        return frames, connection.close_code


async def sessions_of(sql: Sql, person: Person) -> list[UUID]:
    rows = await sql.rows("SELECT id FROM auth_sessions WHERE user_id = $1", UUID(person.id))
    return [row["id"] for row in rows]


def short_token(runtime: Runtime, person: Person, session_id: UUID, seconds: float) -> str:
    """An access token of the person that ends in `seconds`."""
    life = timedelta(seconds=runtime.settings.access_token_seconds - seconds)
    roles = frozenset({Role.USER})
    return runtime.adapters.get(AccessTokens).issue(UUID(person.id), session_id, roles, clock.now() - life)[0]


class TestSignIn:
    async def test_by_the_first_frame(self, apis: list[ApiProcess], people: People) -> None:
        person = await people.new()
        async with raw_socket(apis[0].socket_url) as connection:
            assert connection.subprotocol == "memi.v1"
            await connection.send(json.dumps({"type": "auth", "data": {"access_token": person.access_token}}))
            ready = json.loads(await connection.recv())
        assert ready == {"type": "ready", "data": {"user_id": person.id, "heartbeat_seconds": 1}}

    async def test_by_header(self, apis: list[ApiProcess], people: People) -> None:
        person = await people.new()
        async with raw_socket(apis[0].socket_url, additional_headers=person.headers) as connection:
            assert json.loads(await connection.recv())["type"] == "ready"

    async def test_without_a_subprotocol(self, apis: list[ApiProcess], people: People) -> None:
        async with open_socket(apis[0].socket_url, await people.new(), subprotocols=None) as socket:
            assert socket.connection.subprotocol is None
            assert await socket.ack("ping") == {}

    async def test_another_subprotocol_is_refused(self, apis: list[ApiProcess]) -> None:
        with pytest.raises(InvalidStatus):
            async with raw_socket(apis[0].socket_url, subprotocols=["graphql-ws"]):
                pass

    async def test_never_by_query_string(self, apis: list[ApiProcess], people: People) -> None:
        person = await people.new()
        async with raw_socket(f"{apis[0].socket_url}?access_token={person.access_token}") as connection:
            assert (await said_before_the_end(connection))[1] == 4401

    async def test_nothing_said_in_time(self, apis: list[ApiProcess]) -> None:
        async with raw_socket(apis[0].socket_url) as connection:
            frames, code = await said_before_the_end(connection)
        assert ([frame["data"]["code"] for frame in frames], code) == (["not_authenticated"], 4401)

    @pytest.mark.parametrize(
        ("frame", "code"),
        [
            ('{"id": "1", "type": "ping"}', "not_authenticated"),
            ('{"id": "1", "type": "auth", "data": {"access_token": "x.y.z"}}', "invalid_token"),
            ('{"id": "1", "type": "auth", "data": {}}', "validation_failed"),
            ("nonsense", "malformed_json"),
        ],
    )
    async def test_something_else_first(self, apis: list[ApiProcess], frame: str, code: str) -> None:
        async with raw_socket(apis[0].socket_url) as connection:
            await connection.send(frame)
            frames, closed = await said_before_the_end(connection)
        assert ([frame["data"]["code"] for frame in frames], closed) == ([code], 4401)

    @pytest.mark.parametrize("header", ["Bearer x.y.z", "Basic eA=="])
    async def test_a_bad_header(self, apis: list[ApiProcess], header: str) -> None:
        async with raw_socket(apis[0].socket_url, additional_headers={"Authorization": header}) as connection:
            assert (await said_before_the_end(connection))[1] == 4401

    async def test_only_so_many_of_one_person(self, apis: list[ApiProcess], people: People) -> None:
        person = await people.new()
        url = apis[0].socket_url
        async with open_socket(url, person), open_socket(url, person), open_socket(url, person) as third:
            async with raw_socket(url, additional_headers=person.headers) as connection:
                assert (await said_before_the_end(connection))[1] == 4429
            await third.stop()
            await asyncio.sleep(0.2)
            async with open_socket(url, person) as again:
                assert await again.ack("ping") == {}


class TestItsEnd:
    async def test_a_token_s_end_is_told_and_then_meant(
        self, apis: list[ApiProcess], people: People, runtime: Runtime, sql: Sql
    ) -> None:
        person = await people.new()
        person.access_token = short_token(runtime, person, (await sessions_of(sql, person))[0], 3)
        async with open_socket(apis[0].socket_url, person) as socket:
            await socket.until(lambda: socket.of("session.expiring"))
            assert socket.of("session.expiring")[0]["in_seconds"] <= 3
            assert await socket.close_code() == 4401

    async def test_a_fresh_token_keeps_it_open(
        self, apis: list[ApiProcess], people: People, runtime: Runtime, sql: Sql
    ) -> None:
        person = await people.new()
        fresh = person.access_token
        person.access_token = short_token(runtime, person, (await sessions_of(sql, person))[0], 2)
        async with open_socket(apis[0].socket_url, person) as socket:
            assert (await socket.ack("auth", access_token=fresh))["user_id"] == person.id
            await asyncio.sleep(3)
            assert await socket.ack("ping") == {}

    async def test_it_stays_with_its_account(self, apis: list[ApiProcess], people: People) -> None:
        person, other = await people.new(), await people.new()
        async with open_socket(apis[0].socket_url, person) as socket:
            assert (await socket.error("auth", access_token=other.access_token))["code"] == "wrong_account"
            assert (await socket.error("auth", access_token="x.y.z"))["code"] == "invalid_token"
            assert await socket.ack("ping") == {}

    async def test_logging_out_closes_it_on_every_process(self, apis: list[ApiProcess], people: People) -> None:
        person = await people.new()
        async with open_socket(apis[0].socket_url, person) as one, open_socket(apis[1].socket_url, person) as two:
            await person.post("/auth/logout", {"refresh_token": person.refresh_token})
            assert await asyncio.gather(one.close_code(2), two.close_code(2)) == [4401, 4401]

    async def test_another_session_s_end_does_not(
        self, apis: list[ApiProcess], people: People, runtime: Runtime, sql: Sql
    ) -> None:
        person = await people.new()
        mine = (await sessions_of(sql, person))[0]
        await person.client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
        (other,) = [found for found in await sessions_of(sql, person) if found != mine]
        async with open_socket(apis[0].socket_url, person) as socket:
            async with runtime.unit_of_work() as session:
                await auth.end_sessions(session, UUID(person.id), other, "test")
            await asyncio.sleep(1)
            assert await socket.ack("ping") == {}

    async def test_a_block_closes_it(self, apis: list[ApiProcess], people: People, runtime: Runtime) -> None:
        person = await people.new()
        async with open_socket(apis[0].socket_url, person) as one, open_socket(apis[1].socket_url, person) as two:
            async with runtime.unit_of_work() as session:
                await users.block(session, UUID(person.id))
            assert await asyncio.gather(one.close_code(2), two.close_code(2)) == [4401, 4401]
