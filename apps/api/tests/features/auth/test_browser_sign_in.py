"""Signing in by cookie: what a browser keeps, what it must prove, and what a foreign page cannot do."""

import asyncio
import json
from collections.abc import AsyncIterator
from http.cookies import Morsel, SimpleCookie
from uuid import uuid4

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from memi.platform.browser import BrowserCookies
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.keyring import KeyRing
from memi.platform.runtime import Runtime
from memi.platform.settings import Environment, Settings
from support.browsers import Browser, browser_of, signed_in_browser
from support.people import PASSWORD, People
from support.server import api_processes
from support.sockets import raw_socket
from support.sql import Sql


@pytest.fixture
async def leyla(client: httpx.AsyncClient) -> AsyncIterator[Browser]:
    async with signed_in_browser(client) as browser:
        yield browser


def cookies_set(reply: httpx.Response) -> dict[str, "Morsel[str]"]:
    found: dict[str, Morsel[str]] = {}
    for header in reply.headers.get_list("set-cookie"):
        found.update(SimpleCookie(header))
    return found


class TestSigningIn:
    async def test_puts_no_token_in_the_body(self, client: httpx.AsyncClient, people: People) -> None:
        person = await people.new()
        body = {"email": person.email, "password": PASSWORD, "transport": "cookie"}
        async with browser_of(client) as browser:
            reply = await browser.post("/api/v1/auth/login", json=body)
        assert reply.status_code == 200
        assert set(reply.json()) == {"user", "expires_in", "csrf_token"}
        assert reply.headers["cache-control"] == "private, no-store"

    async def test_scripts_read_only_the_csrf_cookie(self, client: httpx.AsyncClient, people: People) -> None:
        person = await people.new()
        body = {"email": person.email, "password": PASSWORD, "transport": "cookie"}
        async with browser_of(client) as browser:
            reply = await browser.post("/api/v1/auth/login", json=body)
        cookies = cookies_set(reply)
        assert {name: bool(cookie["httponly"]) for name, cookie in cookies.items()} == {
            "memi_access": True,
            "memi_refresh": True,
            "memi_csrf": False,
        }
        assert {cookie["samesite"] for cookie in cookies.values()} == {"Lax"}
        assert {cookie["domain"] for cookie in cookies.values()} == {""}
        assert {cookie["path"] for cookie in cookies.values()} == {"/"}
        assert cookies["memi_access"]["max-age"] == "900"
        assert cookies["memi_csrf"].value == reply.json()["csrf_token"]

    @pytest.mark.parametrize("url", ["https://api.memi.example", "http://api.memi.example"])
    def test_everywhere_but_on_this_machine_cookies_are_secure_and_bound_to_the_host(self, url: str) -> None:
        settings = Settings(_env_file=None, env=Environment.TEST, public_url=url)
        cookies = BrowserCookies(settings, KeyRing({"one": b"k" * 32}))
        made = cookies.sign_in(uuid4(), "access", 900, "refresh", 30)
        assert [cookie.partition("=")[0] for cookie in made] == [
            "__Host-memi_access",
            "__Host-memi_refresh",
            "__Host-memi_csrf",
        ]
        assert all("; Secure" in cookie and "Domain" not in cookie for cookie in made)

    async def test_a_read_needs_nothing_but_the_cookie(self, leyla: Browser) -> None:
        reply = await leyla.request("GET", "/users/me", csrf=None)
        assert (reply.status_code, reply.json()["id"]) == (200, leyla.id)

    async def test_a_header_goes_before_the_cookie(self, leyla: Browser, people: People) -> None:
        other = await people.new()
        reply = await leyla.request("GET", "/users/me", headers=other.headers)
        assert reply.json()["id"] == other.id

    async def test_public_pages_know_the_viewer_and_are_not_for_shared_caches(self, leyla: Browser) -> None:
        reply = await leyla.request("GET", "/listings")
        assert reply.headers["cache-control"] == "private, no-store"
        assert "Cookie" in reply.headers["vary"]


class TestUnsafeCalls:
    @pytest.mark.parametrize("token", [None, "nonsense", "a.b", "é.é"])
    async def test_without_the_sessions_token_are_refused_and_change_nothing(
        self, leyla: Browser, token: str | None
    ) -> None:
        headers = {} if token is None else {"X-CSRF-Token": token.encode()}
        reply = await leyla.client.patch("/api/v1/users/me", json={"name": "Mallory"}, headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (403, "csrf_failed")
        assert (await leyla.request("GET", "/users/me")).json()["name"] == "Leyla"

    async def test_with_another_sessions_token_are_refused(self, leyla: Browser, client: httpx.AsyncClient) -> None:
        async with signed_in_browser(client) as other:
            reply = await leyla.request("PATCH", "/users/me", json={"name": "Mallory"}, csrf=other.csrf)
        assert (reply.status_code, reply.json()["code"]) == (403, "csrf_failed")

    async def test_a_planted_csrf_cookie_is_worth_nothing(self, leyla: Browser) -> None:
        leyla.client.cookies.set("memi_csrf", "planted")
        reply = await leyla.request("PATCH", "/users/me", json={"name": "Mallory"}, csrf="planted")
        assert (reply.status_code, reply.json()["code"]) == (403, "csrf_failed")

    async def test_with_it_are_taken(self, leyla: Browser) -> None:
        reply = await leyla.request("PATCH", "/users/me", json={"name": "Leyla Q."})
        assert (reply.status_code, reply.json()["name"]) == (200, "Leyla Q.")

    async def test_a_page_that_lost_the_token_asks_for_it(self, leyla: Browser) -> None:
        reply = await leyla.request("GET", "/auth/csrf", csrf=None)
        assert reply.json() == {"csrf_token": leyla.csrf}

    async def test_a_page_that_comes_back_without_access_token_asks_for_it_and_refreshes(self, leyla: Browser) -> None:
        del leyla.client.cookies["memi_access"]
        reply = await leyla.request("GET", "/auth/csrf", csrf=None)
        assert (reply.status_code, reply.json()) == (200, {"csrf_token": leyla.csrf})
        again = await leyla.request("POST", "/auth/refresh", csrf=reply.json()["csrf_token"])
        assert again.status_code == 200
        assert (await leyla.request("GET", "/users/me")).status_code == 200

    async def test_nobody_is_given_the_token_of_a_session_that_is_over(self, leyla: Browser) -> None:
        kept = leyla.client.cookies["memi_refresh"]
        assert (await leyla.request("POST", "/auth/logout")).status_code == 204
        leyla.client.cookies.clear()
        for cookies in ({}, {"memi_refresh": kept}, {"memi_refresh": "made-up"}):
            leyla.client.cookies.update(cookies)
            reply = await leyla.request("GET", "/auth/csrf", csrf=None)
            assert (reply.status_code, reply.json()["code"]) == (401, "not_authenticated")

    async def test_by_header_need_none(self, people: People) -> None:
        person = await people.new()
        assert (await person.patch("/users/me", {"name": "Nigar"})).status_code == 200

    def test_the_token_outlives_a_change_of_keys(self) -> None:
        settings = Settings(_env_file=None, env=Environment.TEST)
        session_id = uuid4()
        old = BrowserCookies(settings, KeyRing({"old": b"o" * 32}))
        new = BrowserCookies(settings, KeyRing({"new": b"n" * 32, "old": b"o" * 32}))
        scope = {"headers": [(b"x-csrf-token", old.csrf_token(session_id).encode())]}
        new.require_csrf(scope, session_id)
        assert new.csrf_token(session_id) != old.csrf_token(session_id)


class TestRefresh:
    async def test_takes_the_cookie_and_sets_new_ones(self, leyla: Browser) -> None:
        before = leyla.client.cookies["memi_refresh"]
        reply = await leyla.request("POST", "/auth/refresh")
        assert reply.status_code == 200
        assert set(reply.json()) == {"expires_in", "csrf_token"}
        assert leyla.client.cookies["memi_refresh"] != before
        assert (await leyla.request("GET", "/users/me")).status_code == 200

    async def test_an_empty_object_says_no_more_than_no_body(self, leyla: Browser) -> None:
        assert (await leyla.request("POST", "/auth/refresh", json={})).status_code == 200
        assert (await leyla.request("POST", "/auth/logout", json={})).status_code == 204

    async def test_without_the_csrf_token_is_refused_and_rotates_nothing(self, leyla: Browser) -> None:
        reply = await leyla.request("POST", "/auth/refresh", csrf=None)
        assert (reply.status_code, reply.json()["code"]) == (403, "csrf_failed")
        assert (await leyla.request("POST", "/auth/refresh")).status_code == 200

    async def test_a_cookies_token_is_not_taken_from_a_body(self, leyla: Browser, client: httpx.AsyncClient) -> None:
        """A script that got hold of it would otherwise get tokens that it can read."""
        stolen = leyla.client.cookies["memi_refresh"]
        reply = await client.post("/api/v1/auth/refresh", json={"refresh_token": stolen})
        assert (reply.status_code, reply.json()["code"]) == (401, "invalid_refresh_token")

    async def test_a_dead_one_has_the_browser_forget_it(self, leyla: Browser, sql: Sql) -> None:
        await sql.execute("UPDATE auth_sessions SET revoked_at = now() WHERE user_id = $1", leyla.id)
        reply = await leyla.request("POST", "/auth/refresh")
        assert reply.status_code == 401
        assert {cookie["max-age"] for cookie in cookies_set(reply).values()} == {"0"}

    async def test_without_any_token_is_401(self, client: httpx.AsyncClient) -> None:
        async with browser_of(client) as browser:
            reply = await browser.post("/api/v1/auth/refresh")
        assert (reply.status_code, reply.json()["code"]) == (401, "invalid_refresh_token")

    async def test_a_double_click_signs_nobody_out(self, leyla: Browser) -> None:
        replies = await asyncio.gather(*(leyla.request("POST", "/auth/refresh") for _ in range(2)))
        assert [reply.status_code for reply in replies] == [200, 200]
        assert (await leyla.request("POST", "/auth/refresh")).status_code == 200


class TestLogout:
    async def test_ends_the_session_and_clears_the_cookies(self, leyla: Browser) -> None:
        access = leyla.client.cookies["memi_access"]
        reply = await leyla.request("POST", "/auth/logout")
        assert reply.status_code == 204
        assert not leyla.client.cookies
        again = await leyla.client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {access}"})
        assert again.json()["code"] == "invalid_token"

    async def test_a_foreign_page_cannot_sign_one_out(self, leyla: Browser) -> None:
        assert (await leyla.request("POST", "/auth/logout", csrf=None)).json()["code"] == "csrf_failed"
        assert (await leyla.request("GET", "/users/me")).status_code == 200


async def test_sockets_take_the_cookie_from_pages_of_ours_alone(
    client: httpx.AsyncClient, database_urls: EmbeddedUrls, settings: Settings, runtime: Runtime
) -> None:
    ours = "https://memi.example"
    async with (
        api_processes(database_urls, settings, 1, web_origins=ours, socket_auth_seconds=1) as (api,),
        signed_in_browser(client) as leyla,
    ):
        headers = {"Cookie": f"memi_access={leyla.client.cookies['memi_access']}"}
        for origin in (ours, settings.base_url):
            async with raw_socket(api.socket_url, additional_headers=headers, origin=origin) as socket:
                assert json.loads(await socket.recv())["data"]["user_id"] == leyla.id
        for origin in ("https://evil.example", None):
            async with raw_socket(api.socket_url, additional_headers=headers, origin=origin) as socket:
                assert json.loads(await socket.recv())["data"]["code"] == "not_authenticated"
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
                assert socket.close_code == 4401
