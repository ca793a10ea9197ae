"""Register, log in, refresh, log out."""

import asyncio
from uuid import uuid4

import httpx
import pytest

from memi.platform.runtime import Runtime
from support.people import PASSWORD, People
from support.sql import Sql


def _registration(**changes: object) -> dict[str, object]:
    return {"email": f"{uuid4().hex}@Example.com", "password": PASSWORD, "name": "Leyla", **changes}


class TestRegister:
    async def test_makes_an_account_and_signs_it_in(self, client: httpx.AsyncClient) -> None:
        body = _registration()
        reply = await client.post("/api/v1/auth/register", json=body)
        assert reply.status_code == 201
        made = reply.json()
        assert made["user"]["email"] == str(body["email"]).lower()
        assert made["user"]["roles"] == ["USER"]
        assert made["user"]["email_verified"] is False
        assert made["token_type"] == "Bearer"
        assert made["expires_in"] == 900
        assert "password" not in reply.text
        me = await client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {made['access_token']}"})
        assert me.json()["id"] == made["user"]["id"]

    async def test_an_address_is_taken_in_any_case(self, client: httpx.AsyncClient) -> None:
        body = _registration()
        await client.post("/api/v1/auth/register", json=body)
        again = await client.post("/api/v1/auth/register", json={**body, "email": str(body["email"]).upper()})
        assert (again.status_code, again.json()["code"]) == (409, "email_taken")

    async def test_every_wrong_field_is_named(self, client: httpx.AsyncClient) -> None:
        body = {"email": "nope", "password": "short", "nickname": "x", "city": 7}
        reply = await client.post("/api/v1/auth/register", json=body)
        assert reply.status_code == 422
        assert reply.headers["content-type"] == "application/problem+json"
        named = {(item["pointer"], item["code"]) for item in reply.json()["errors"]}
        assert named == {
            ("/email", "invalid"),
            ("/password", "too_short"),
            ("/name", "required"),
            ("/nickname", "unknown_field"),
            ("/city", "wrong_type"),
        }

    async def test_an_address_comes_without_a_name(self, client: httpx.AsyncClient) -> None:
        reply = await client.post("/api/v1/auth/register", json=_registration(email="Leyla <leyla@example.com>"))
        assert reply.status_code == 422
        assert reply.json()["errors"][0]["pointer"] == "/email"

    @pytest.mark.parametrize("name", ["Ley\u202ela", "Ley\x07la", "Ley\x00la"])
    async def test_a_name_cannot_garble_a_page(self, client: httpx.AsyncClient, name: str) -> None:
        reply = await client.post("/api/v1/auth/register", json=_registration(name=name))
        assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/name")

    async def test_an_unknown_city_is_refused_and_nothing_is_made(self, client: httpx.AsyncClient, sql: Sql) -> None:
        body = _registration(city="ATLANTIS")
        reply = await client.post("/api/v1/auth/register", json=body)
        assert reply.status_code == 422
        assert reply.json()["errors"][0]["pointer"] == "/city"
        assert await sql.value("SELECT count(*) FROM users WHERE email = $1", str(body["email"]).lower()) == 0


class TestLogin:
    async def test_right_password(self, people: People, client: httpx.AsyncClient) -> None:
        person = await people.new()
        reply = await client.post("/api/v1/auth/login", json={"email": person.email.upper(), "password": PASSWORD})
        assert reply.status_code == 200
        assert reply.json()["user"]["id"] == person.id

    async def test_an_address_is_known_in_either_spelling_of_its_domain(self, client: httpx.AsyncClient) -> None:
        name = uuid4().hex
        made = await client.post("/api/v1/auth/register", json=_registration(email=f"{name}@bücher.example"))
        assert made.status_code == 201, made.text
        for email in (f"{name}@bücher.example", f"{name}@xn--bcher-kva.example", f"{name}@BÜCHER.example"):
            reply = await client.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
            assert reply.status_code == 200, email

    async def test_unknown_address_and_wrong_password_look_alike(
        self, people: People, client: httpx.AsyncClient
    ) -> None:
        person = await people.new()
        wrong = await client.post("/api/v1/auth/login", json={"email": person.email, "password": "not that one"})
        unknown = await client.post("/api/v1/auth/login", json={"email": "no@example.com", "password": "not that one"})
        assert wrong.status_code == unknown.status_code == 401
        volatile = {"request_id"}
        assert {k: v for k, v in wrong.json().items() if k not in volatile} == {
            k: v for k, v in unknown.json().items() if k not in volatile
        }

    async def test_a_crowd_of_them_leaves_the_connections_to_others(
        self, people: People, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        person = await people.new()
        body = {"email": person.email, "password": PASSWORD}
        crowd = [asyncio.create_task(client.post("/api/v1/auth/login", json=body)) for _ in range(30)]
        held: list[int] = []
        while (waiting := sum(not login.done() for login in crowd)) > 10:
            if waiting < 30:
                held.append(runtime.database.engine.pool.checkedout())  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
            await asyncio.sleep(0.005)
        assert {login.result().status_code for login in crowd if await login} == {200}
        assert 0 in held, held


class TestRefresh:
    async def test_rotates(self, people: People, client: httpx.AsyncClient) -> None:
        person = await people.new()
        reply = await client.post("/api/v1/auth/refresh", json={"refresh_token": person.refresh_token})
        assert reply.status_code == 200
        assert set(reply.json()) == {"access_token", "token_type", "expires_in", "refresh_token"}
        assert reply.json()["refresh_token"] != person.refresh_token

    async def test_a_parallel_retry_gets_one_sibling_and_a_third_use_ends_the_family(
        self, people: People, client: httpx.AsyncClient
    ) -> None:
        person = await people.new()
        body = {"refresh_token": person.refresh_token}
        first = await client.post("/api/v1/auth/refresh", json=body)
        second = await client.post("/api/v1/auth/refresh", json=body)
        assert first.status_code == second.status_code == 200
        third = await client.post("/api/v1/auth/refresh", json=body)
        assert (third.status_code, third.json()["code"]) == (401, "invalid_refresh_token")
        for survivor in (first, second):
            dead = await client.post("/api/v1/auth/refresh", json={"refresh_token": survivor.json()["refresh_token"]})
            assert dead.status_code == 401
        assert (await person.get("/users/me")).json()["code"] == "invalid_token"

    async def test_another_client_gets_no_sibling(self, people: People, client: httpx.AsyncClient) -> None:
        person = await people.new()
        body = {"refresh_token": person.refresh_token}
        first = await client.post("/api/v1/auth/refresh", json=body)
        thief = await client.post("/api/v1/auth/refresh", json=body, headers={"User-Agent": "curl/8"})
        assert (thief.status_code, thief.json()["code"]) == (401, "invalid_refresh_token")
        again = await client.post("/api/v1/auth/refresh", json={"refresh_token": first.json()["refresh_token"]})
        assert again.status_code == 401

    async def test_use_after_the_grace_ends_the_family(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        person = await people.new()
        body = {"refresh_token": person.refresh_token}
        first = await client.post("/api/v1/auth/refresh", json=body)
        await sql.execute("UPDATE refresh_tokens SET rotated_at = rotated_at - interval '11 seconds'")
        assert (await client.post("/api/v1/auth/refresh", json=body)).status_code == 401
        dead = await client.post("/api/v1/auth/refresh", json={"refresh_token": first.json()["refresh_token"]})
        assert dead.status_code == 401

    async def test_only_hashes_are_stored(self, people: People, sql: Sql) -> None:
        person = await people.new()
        stored = await sql.rows("SELECT token_hash FROM refresh_tokens")
        assert all(row["token_hash"] != person.refresh_token.encode() for row in stored)
        assert all(len(row["token_hash"]) == 32 for row in stored)


class TestLogout:
    async def test_ends_the_session_at_once(self, people: People, client: httpx.AsyncClient) -> None:
        person = await people.new()
        body = {"refresh_token": person.refresh_token}
        assert (await client.post("/api/v1/auth/logout", json=body)).status_code == 204
        assert (await client.post("/api/v1/auth/logout", json=body)).status_code == 204
        assert (await person.get("/users/me")).status_code == 401
        assert (await client.post("/api/v1/auth/refresh", json=body)).status_code == 401
