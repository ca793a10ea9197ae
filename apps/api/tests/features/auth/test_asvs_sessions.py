"""What a session is made of, what a stolen one cannot do, and that signing in leaves no other behind."""

import asyncio
import re
from base64 import urlsafe_b64decode
from dataclasses import replace
from uuid import UUID

import httpx

from memi.auth.policy import AuthPolicy
from memi.platform.runtime import Runtime
from support.browsers import Browser, browser_of, signed_in_browser
from support.factors import enrol, grow_old, sign_in, take
from support.people import PASSWORD, People, Person
from support.sql import Sql


async def another_session(person: Person) -> Person:
    reply = await person.client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
    made = reply.json()
    return Person(person.client, person.id, person.email, made["access_token"], made["refresh_token"])


async def own_session_id(person: Person) -> str:
    items = (await person.get("/auth/sessions")).json()["items"]
    return next(item["id"] for item in items if item["current"])


async def standing(sql: Sql, user_id: str) -> int:
    return await sql.value(
        "SELECT count(*) FROM auth_sessions WHERE user_id = $1 AND revoked_at IS NULL", UUID(user_id)
    )


class TestEndingOthers:
    async def test_a_session_whose_owner_was_not_proved_lately_ends_no_other(self, people: People, sql: Sql) -> None:
        thief = await people.new()
        owner = await another_session(thief)
        await grow_old(sql, thief)
        for method, path in (
            ("DELETE", f"/auth/sessions/{await own_session_id(owner)}"),
            ("POST", "/auth/logout-all"),
        ):
            reply = await thief.request(method, path)
            assert (reply.status_code, reply.json()["code"]) == (403, "step_up_required")
        assert await standing(sql, owner.id) == 2
        assert (await owner.get("/users/me")).status_code == 200

    async def test_after_a_fresh_proof_it_does(self, people: People, sql: Sql) -> None:
        person = await people.new()
        other = await another_session(person)
        await grow_old(sql, person)
        take(person, await person.post("/auth/step-up", {"password": PASSWORD}))
        assert (await person.delete(f"/auth/sessions/{await own_session_id(other)}")).status_code == 204
        assert (await other.get("/users/me")).status_code == 401
        assert (await person.post("/auth/logout-all")).status_code == 204
        assert await standing(sql, person.id) == 0

    async def test_leaving_needs_no_proof(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        other = await another_session(person)
        await grow_old(sql, person)
        assert (await person.delete(f"/auth/sessions/{await own_session_id(person)}")).status_code == 204
        assert (await person.get("/users/me")).status_code == 401
        left = await client.post("/api/v1/auth/logout", json={"refresh_token": other.refresh_token})
        assert left.status_code == 204
        assert await standing(sql, person.id) == 0


class TestSigningInAnew:
    async def test_in_a_browser_ends_the_sign_in_that_was_there(self, client: httpx.AsyncClient, sql: Sql) -> None:
        async with signed_in_browser(client) as browser:
            before = dict(browser.client.cookies)
            again = await login(browser)
            assert again.status_code == 200
            assert not set(before.values()) & set(dict(browser.client.cookies).values())
            assert await standing(sql, browser.id) == 1
            stolen = {"Authorization": f"Bearer {before['memi_access']}"}
            assert (await browser.client.get("/api/v1/users/me", headers=stolen)).status_code == 401
            assert (await browser.request("GET", "/users/me")).status_code == 200

    async def test_as_somebody_else_ends_the_first_ones(
        self, client: httpx.AsyncClient, people: People, sql: Sql
    ) -> None:
        second = await people.new()
        async with signed_in_browser(client) as browser:
            first = browser.id
            await login(browser, second.email)
            assert (await browser.client.get("/api/v1/users/me")).json()["id"] == second.id
        assert (await standing(sql, first), await standing(sql, second.id)) == (0, 2)

    async def test_a_wrong_password_ends_nothing(self, client: httpx.AsyncClient, sql: Sql) -> None:
        async with signed_in_browser(client) as browser:
            assert (await login(browser, password="not the one")).status_code == 401
            assert (await browser.request("GET", "/users/me")).status_code == 200
            assert await standing(sql, browser.id) == 1

    async def test_on_another_device_ends_nothing(self, client: httpx.AsyncClient, sql: Sql) -> None:
        async with signed_in_browser(client) as browser, browser_of(client) as other:
            body = {"email": browser.user["email"], "password": PASSWORD, "transport": "cookie"}
            assert (await other.post("/api/v1/auth/login", json=body)).status_code == 200
            assert await standing(sql, browser.id) == 2
            assert (await browser.request("GET", "/users/me")).status_code == 200

    async def test_a_planted_session_is_not_taken_over(self, client: httpx.AsyncClient, people: People) -> None:
        """Fixation: what a browser brings along is never what it is signed in with, and does not outlive it."""
        thief, owner = await people.new(), await people.new()
        body = {"email": thief.email, "password": PASSWORD, "transport": "cookie"}
        async with browser_of(client) as theirs, browser_of(client) as browser:
            assert (await theirs.post("/api/v1/auth/login", json=body)).status_code == 200
            planted = dict(theirs.cookies)
            browser.cookies = httpx.Cookies(planted)
            reply = await browser.post("/api/v1/auth/login", json={**body, "email": owner.email})
            assert reply.request.headers["cookie"].count(planted["memi_refresh"]) == 1
            assert reply.json()["user"]["id"] == owner.id
            given = " ".join(reply.headers.get_list("set-cookie"))
            assert [name for name, value in planted.items() if value in given] == []
            assert (await theirs.get("/api/v1/users/me")).status_code == 401


class TestTokens:
    async def test_refresh_tokens_are_256_random_bits_and_never_repeat(
        self, people: People, client: httpx.AsyncClient
    ) -> None:
        person, seen = await people.new(), set[str]()
        for _ in range(40):
            assert re.fullmatch(r"[A-Za-z0-9_-]{43}", person.refresh_token)
            assert len(urlsafe_b64decode(person.refresh_token + "=")) == 32
            seen.add(person.refresh_token)
            take(person, await client.post("/api/v1/auth/refresh", json={"refresh_token": person.refresh_token}))
        assert len(seen) == 40
        # 40 tokens of 43 characters, each of 64: were they not random, some character would be rare.
        assert len(set("".join(seen))) == 64

    async def test_without_a_grace_the_second_use_ends_the_family(
        self, people: People, client: httpx.AsyncClient, runtime: Runtime, sql: Sql
    ) -> None:
        policy = runtime.adapters.get(AuthPolicy)
        runtime.adapters.set(AuthPolicy, replace(policy, grace_seconds=0))
        try:
            for _ in range(5):
                person = await people.new()
                body = {"refresh_token": person.refresh_token}
                replies = await asyncio.gather(*(client.post("/api/v1/auth/refresh", json=body) for _ in range(2)))
                assert sorted(reply.status_code for reply in replies) == [200, 401]
                (given,) = (reply.json()["refresh_token"] for reply in replies if reply.status_code == 200)
                dead = await client.post("/api/v1/auth/refresh", json={"refresh_token": given})
                assert dead.status_code == 401
                assert await standing(sql, person.id) == 0
        finally:
            runtime.adapters.set(AuthPolicy, policy)

    async def test_both_factors_make_a_new_session(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        before = await own_session_id(person)
        await sign_in(client, person, app)
        assert await own_session_id(person) != before


async def login(browser: Browser, email: str = "", password: str = PASSWORD) -> httpx.Response:
    body = {"email": email or browser.user["email"], "password": password, "transport": "cookie"}
    return await browser.client.post("/api/v1/auth/login", json=body)
