"""Callbacks and codes in the wrong hands, twice, too late or tampered with."""

import asyncio
import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from secrets import token_urlsafe
from typing import Any

import httpx
import pytest

from support.oidc import MEMI, Browser, Callback, OidcProvider, query_of, with_query
from support.sql import Sql

STATE = """
SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM external_identities), (SELECT count(*) FROM oauth_results),
       (SELECT count(*) FROM auth_sessions), (SELECT count(*) FROM oauth_flows WHERE used_at IS NOT NULL)
"""


async def state_of_things(sql: Sql) -> tuple[int, ...]:
    return tuple((await sql.rows(STATE))[0].values())


def refused(reply: httpx.Response, code: str = "invalid_oauth_state") -> bool:
    """Refused without any redirect: there is no address to trust."""
    return (reply.status_code, reply.json()["code"], "location" in reply.headers) == (400, code, False)


def challenge_of(verifier: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class TestState:
    async def test_a_callback_works_once(self, google: OidcProvider, browser: Browser, sql: Sql) -> None:
        callback = await browser.leave_for(google.account())
        assert "code" in await browser.outcome(callback)
        before = await state_of_things(sql)
        assert refused(await browser.come_back(callback))
        assert await state_of_things(sql) == before

    async def test_of_many_callbacks_with_one_state_one_counts(
        self, google: OidcProvider, browser: Browser, sql: Sql
    ) -> None:
        account = google.account()
        callback = await browser.leave_for(account)
        replies = await asyncio.gather(*(browser.come_back(callback) for _ in range(8)))
        assert sorted(reply.status_code for reply in replies) == [303] + [400] * 7
        assert all(refused(reply) for reply in replies if reply.status_code == 400)
        assert await sql.value("SELECT count(*) FROM external_identities WHERE subject = $1", account.sub) == 1

    @pytest.mark.parametrize("provider", ["google", "apple"])
    async def test_a_tampered_state(
        self, provider: str, google: OidcProvider, apple: OidcProvider, browser: Browser, sql: Sql
    ) -> None:
        callback = await browser.leave_for((google if provider == "google" else apple).account())
        before = await state_of_things(sql)
        good = callback.values["state"]
        for wrong in (None, "", good[:-1], good + "A", token_urlsafe(32), "é" * 43, "\x00" * 43, "x" * 10_000):
            assert refused(await browser.come_back(callback.but(state=wrong)))
        assert await state_of_things(sql) == before
        assert "code" in await browser.outcome(callback)

    async def test_values_given_twice_are_nobodys(self, google: OidcProvider, browser: Browser, sql: Sql) -> None:
        callback = await browser.leave_for(google.account())
        before = await state_of_things(sql)
        for name, value in callback.values.items():
            pairs = [*callback.values.items(), (name, value)]
            assert refused(await browser.http.get(callback.url, params=pairs))
        assert refused(await browser.http.get(callback.url, params=[("a", "b")] * 100))
        assert await state_of_things(sql) == before

    async def test_another_browser_cannot_finish(
        self, google: OidcProvider, open_browser: Callable[[], Browser], sql: Sql
    ) -> None:
        """Login CSRF: an attacker's own callback, opened by somebody else, must not sign them in as the attacker."""
        attacker, victim = open_browser(), open_browser()
        callback = await attacker.leave_for(google.account())
        await victim.start("google")
        before = await state_of_things(sql)
        assert refused(await victim.come_back(callback))
        without = open_browser()
        assert refused(await without.come_back(callback))
        assert await state_of_things(sql) == before

    async def test_a_trip_takes_ten_minutes_at_most(self, google: OidcProvider, browser: Browser, sql: Sql) -> None:
        callback = await browser.leave_for(google.account())
        lasting = await sql.value("SELECT max(expires_at - created_at) = interval '10 minutes' FROM oauth_flows")
        assert lasting is True
        await sql.execute("UPDATE oauth_flows SET expires_at = now() WHERE used_at IS NULL")
        before = await state_of_things(sql)
        assert refused(await browser.come_back(callback))
        assert await state_of_things(sql) == before

    async def test_one_providers_answer_does_not_count_for_the_other(
        self, google: OidcProvider, browser: Browser, sql: Sql
    ) -> None:
        callback = await browser.leave_for(google.account())
        before = await state_of_things(sql)
        elsewhere = Callback("POST", callback.url.replace("google", "apple"), callback.values)
        assert refused(await browser.come_back(elsewhere))
        assert refused(await browser.come_back(Callback("POST", callback.url, callback.values)))
        assert await state_of_things(sql) == before

    async def test_apples_answer_counts_as_a_form_only(self, apple: OidcProvider, browser: Browser, sql: Sql) -> None:
        callback = await browser.leave_for(apple.account())
        before = await state_of_things(sql)
        assert refused(await browser.come_back(Callback("GET", callback.url, callback.values)))
        as_json = await browser.http.post(callback.url, json=callback.values)
        assert (as_json.status_code, as_json.json()["code"]) == (415, "unsupported_media_type")
        large = await browser.come_back(callback.but(user="x" * 100_000))
        assert (large.status_code, large.json()["code"]) == (413, "body_too_large")
        assert await state_of_things(sql) == before
        assert "code" in await browser.outcome(callback)


class TestMixUp:
    @pytest.mark.parametrize("iss", [None, "", "https://evil.example", "http://127.0.0.1:8000"])
    @pytest.mark.parametrize("error", [None, "access_denied"])
    async def test_an_answer_that_is_another_issuers(
        self, google: OidcProvider, browser: Browser, sql: Sql, iss: str | None, error: str | None
    ) -> None:
        account = google.account()
        callback = await browser.leave_for(account)
        changes: dict[str, Any] = {"iss": iss, "error": error}
        outcome = await browser.outcome(callback.but(**changes))
        assert outcome == {"error": "invalid_callback", "provider": "google"}
        assert await sql.value("SELECT count(*) FROM external_identities WHERE subject = $1", account.sub) == 0

    async def test_a_code_of_another_trip(self, google: OidcProvider, open_browser: Callable[[], Browser]) -> None:
        """A stolen code, put into one's own callback, is bound to the code verifier of the trip it was given for."""
        victim, attacker = open_browser(), open_browser()
        stolen = await victim.leave_for(google.account())
        own = await attacker.leave_for(google.account())
        outcome = await attacker.outcome(own.but(code=stolen.values["code"]))
        assert outcome == {"error": "invalid_callback", "provider": "google"}

    @pytest.mark.parametrize(
        "changes",
        [
            {"code_challenge": None, "code_challenge_method": None},
            {"code_challenge": challenge_of("of the attacker's own choosing, and long enough")},
            {"nonce": "another"},
            {"nonce": None},
        ],
    )
    async def test_a_trip_whose_pkce_or_nonce_was_weakened_on_the_way(
        self, google: OidcProvider, browser: Browser, sql: Sql, changes: dict[str, str | None]
    ) -> None:
        url = with_query((await browser.start("google")).headers["location"], **changes)
        account = google.account()
        outcome = await browser.outcome(await browser.at_provider(url, account))
        assert outcome == {"error": "invalid_callback", "provider": "google"}
        assert await sql.value("SELECT count(*) FROM external_identities WHERE subject = $1", account.sub) == 0

    async def test_a_code_that_the_provider_never_gave(self, google: OidcProvider, browser: Browser) -> None:
        callback = await browser.leave_for(google.account())
        for code in ("made up", "x" * 4096):
            url = (await browser.start("google")).headers["location"]
            tampered = callback.but(code=code, state=query_of(url)["state"])
            assert (await browser.outcome(tampered))["error"] == "invalid_callback"

    async def test_an_answer_without_a_code(self, google: OidcProvider, browser: Browser) -> None:
        callback = (await browser.leave_for(google.account())).but(code=None)
        assert (await browser.outcome(callback))["error"] == "invalid_callback"


class TestExchange:
    async def test_a_code_works_once(self, google: OidcProvider, browser: Browser, sql: Sql) -> None:
        code = (await browser.outcome(await browser.leave_for(google.account())))["code"]
        assert (await browser.exchange(code)).status_code == 200
        before = await state_of_things(sql)
        assert refused(await browser.exchange(code), "invalid_oauth_code")
        assert await state_of_things(sql) == before

    async def test_of_many_exchanges_of_one_code_one_signs_in(
        self, google: OidcProvider, browser: Browser, sql: Sql
    ) -> None:
        code = (await browser.outcome(await browser.leave_for(google.account())))["code"]
        sessions = await sql.value("SELECT count(*) FROM auth_sessions")
        replies = await asyncio.gather(*(browser.exchange(code) for _ in range(8)))
        assert sorted(reply.status_code for reply in replies) == [200] + [400] * 7
        assert await sql.value("SELECT count(*) FROM auth_sessions") == sessions + 1

    async def test_a_code_lives_a_minute(self, google: OidcProvider, browser: Browser, sql: Sql) -> None:
        code = (await browser.outcome(await browser.leave_for(google.account())))["code"]
        assert await sql.value("SELECT max(expires_at - created_at) = interval '60 s' FROM oauth_results") is True
        await sql.execute("UPDATE oauth_results SET expires_at = now()")
        before = await state_of_things(sql)
        assert refused(await browser.exchange(code), "invalid_oauth_code")
        assert await state_of_things(sql) == before

    async def test_a_code_is_kept_as_a_hash(self, google: OidcProvider, browser: Browser, sql: Sql) -> None:
        code = (await browser.outcome(await browser.leave_for(google.account())))["code"]
        newest = (await sql.rows("SELECT * FROM oauth_results ORDER BY id DESC LIMIT 1"))[0]
        assert newest["code_hash"] == hashlib.sha256(code.encode()).digest()
        assert code not in repr(newest)

    async def test_another_browser_cannot_exchange_it(
        self, google: OidcProvider, open_browser: Callable[[], Browser], sql: Sql
    ) -> None:
        """An attacker's code, put into a link to the front end, must not sign somebody else in as the attacker."""
        attacker, victim = open_browser(), open_browser()
        code = (await attacker.outcome(await attacker.leave_for(google.account())))["code"]
        before = await state_of_things(sql)
        assert refused(await victim.exchange(code), "invalid_oauth_code")
        await victim.start("google")
        for transport in ("token", "cookie"):
            assert refused(await victim.exchange(code, transport=transport), "invalid_oauth_code")
        verifier = token_urlsafe(32)
        assert refused(await victim.exchange(code, code_verifier=verifier), "invalid_oauth_code")
        assert await state_of_things(sql) == before
        assert (await attacker.exchange(code)).status_code == 200

    async def test_an_app_exchanges_it_by_its_verifier(
        self, google: OidcProvider, open_browser: Callable[[], Browser], sql: Sql
    ) -> None:
        """The app's own HTTP client has none of the browser's cookies."""
        browser, app, thief = open_browser(), open_browser(), open_browser()
        verifier = token_urlsafe(48)
        callback = await browser.leave_for(google.account(), code_challenge=challenge_of(verifier))
        code = (await browser.outcome(callback))["code"]
        before = await state_of_things(sql)
        assert refused(await thief.exchange(code), "invalid_oauth_code")
        assert refused(await thief.exchange(code, code_verifier=token_urlsafe(48)), "invalid_oauth_code")
        assert refused(await browser.exchange(code), "invalid_oauth_code")  # who named a challenge relies on it
        assert await state_of_things(sql) == before
        assert (await app.exchange(code, code_verifier=verifier)).status_code == 200

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"code": "short"},
            {"code": "x" * 43, "code_verifier": "short"},
            {"code": "x" * 43, "transport": "pigeon"},
            {"code": "x" * 43, "more": 1},
        ],
    )
    async def test_a_malformed_exchange(self, browser: Browser, body: dict[str, Any]) -> None:
        reply = await browser.http.post(f"{MEMI}/api/v1/auth/oauth/exchange", json=body)
        assert (reply.status_code, reply.json()["code"]) == (422, "validation_failed")

    async def test_a_malformed_challenge(self, browser: Browser) -> None:
        for challenge in ("short", "x" * 44, "é" * 43):
            reply = await browser.start("google", code_challenge=challenge)
            assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/code_challenge")
