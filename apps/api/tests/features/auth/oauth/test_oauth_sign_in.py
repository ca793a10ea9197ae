"""Signing in with Google and Apple, as providers of their kind do it."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from memi.auth.oauth_jobs import prune_oauth_trips
from memi.platform.browser import BrowserCookies
from memi.platform.runtime import Runtime
from memi.platform.settings import Environment, Settings
from memi.users import deletion
from memi.users import service as users
from support.oidc import FRONT_END, MEMI, Account, Browser, OidcProvider, query_of
from support.people import People
from support.sql import Sql

COUNTS = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM external_identities)"


async def counts(sql: Sql) -> tuple[int, ...]:
    return tuple((await sql.rows(COUNTS))[0].values())


async def me(browser: Browser, signed_in: httpx.Response) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    reply = await browser.http.get(f"{MEMI}/api/v1/users/me", headers=headers)
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.fixture(params=["google", "apple"])
def provider(request: pytest.FixtureRequest, google: OidcProvider, apple: OidcProvider) -> OidcProvider:
    return google if request.param == "google" else apple


class TestSigningIn:
    async def test_a_newcomer_gets_a_verified_account_without_a_password(
        self, provider: OidcProvider, browser: Browser, sql: Sql
    ) -> None:
        account = provider.account(name="Aysel Quliyeva", locale="ru-RU")
        reply = await browser.sign_in(account)
        assert reply.status_code == 200
        assert reply.json()["user"]["email"] == account.email
        assert reply.json()["user"]["email_verified"] is True
        assert (await me(browser, reply))["id"] == reply.json()["user"]["id"]
        row = (await sql.rows("SELECT * FROM users WHERE email = $1", account.email))[0]
        assert row["password_hash"] is None
        linked = await sql.rows("SELECT * FROM external_identities WHERE user_id = $1", row["id"])
        assert [(item["provider"], item["subject"], item["email"]) for item in linked] == [
            (provider.kind, account.sub, account.email)
        ]

    async def test_who_is_known_gets_their_account_again(
        self, provider: OidcProvider, open_browser: Callable[[], Browser], sql: Sql
    ) -> None:
        account = provider.account()
        first = await open_browser().sign_in(account)
        before = await counts(sql)
        again = await open_browser().sign_in(account)
        assert again.json()["user"]["id"] == first.json()["user"]["id"]
        assert await counts(sql) == before

    async def test_who_changes_the_address_there_keeps_the_account_here(
        self, google: OidcProvider, open_browser: Callable[[], Browser]
    ) -> None:
        account = google.account()
        first = await open_browser().sign_in(account)
        google.control(account={"sub": account.sub, "claims": {"email": "new@example.com", "email_verified": True}})
        again = await open_browser().sign_in(account)
        assert again.json()["user"]["id"] == first.json()["user"]["id"]
        assert again.json()["user"]["email"] == account.email

    async def test_google_tells_name_and_language(self, google: OidcProvider, browser: Browser) -> None:
        reply = await browser.sign_in(google.account(name="Лейла Мамедова", locale="ru"))
        assert (reply.json()["user"]["name"], reply.json()["user"]["locale"]) == ("Лейла Мамедова", "ru")

    async def test_apple_tells_the_name_in_the_form_the_first_time(
        self, apple: OidcProvider, open_browser: Callable[[], Browser]
    ) -> None:
        account = apple.account(form_user={"name": {"firstName": " Nigar\u202e\n", "lastName": "Əliyeva"}})
        first = await open_browser().sign_in(account)
        assert first.json()["user"]["name"] == "Nigar Əliyeva"
        apple.control(account={"sub": account.sub, "claims": {"email": account.email, "email_verified": "true"}})
        assert (await open_browser().sign_in(account)).json()["user"]["name"] == "Nigar Əliyeva"

    @pytest.mark.parametrize(
        "user", ["", "nonsense", "[]", "7", '{"name": "x"}', '{"name": {"firstName": 7}}', "[" * 5000, "x" * 5000]
    )
    async def test_a_form_without_a_sensible_name_signs_in_all_the_same(
        self, apple: OidcProvider, browser: Browser, user: str
    ) -> None:
        outcome = await browser.outcome((await browser.leave_for(apple.account())).but(user=user))
        assert (await browser.exchange(outcome["code"])).json()["user"]["name"] == "memi"

    async def test_a_browser_gets_its_session_in_cookies(self, google: OidcProvider, browser: Browser) -> None:
        reply = await browser.sign_in(google.account(), transport="cookie")
        assert "access_token" not in reply.json()
        assert {"memi_access", "memi_refresh", "memi_csrf"} <= set(browser.http.cookies)
        assert (await browser.http.get(f"{MEMI}/api/v1/users/me")).status_code == 200

    async def test_an_account_with_a_second_factor_is_asked_for_it(
        self, google: OidcProvider, browser: Browser, sql: Sql
    ) -> None:
        account = google.account()
        user = (await browser.sign_in(account)).json()["user"]["id"]
        await sql.execute(
            "INSERT INTO totp_factors (user_id, secret, confirmed_at) VALUES ($1::text::uuid, 'x', now())", user
        )
        sessions = await sql.value("SELECT count(*) FROM auth_sessions WHERE user_id = $1::text::uuid", user)
        reply = await browser.sign_in(account)
        assert (reply.status_code, reply.json()["mfa_required"]) == (200, True)
        assert "access_token" not in reply.json()
        after = await sql.value("SELECT count(*) FROM auth_sessions WHERE user_id = $1::text::uuid", user)
        assert after == sessions

    async def test_a_rotated_signing_key_is_found(
        self, google: OidcProvider, open_browser: Callable[[], Browser]
    ) -> None:
        await open_browser().sign_in(google.account())
        browser, account = open_browser(), google.account()
        callback = await browser.leave_for(account)
        google.rotate()  # after the consent, before the token
        assert "code" in await browser.outcome(callback)

    async def test_the_trip_begins_with_pkce_state_and_nonce_of_its_own(
        self, provider: OidcProvider, browser: Browser, sql: Sql
    ) -> None:
        trips = [query_of((await browser.start(provider.kind)).headers["location"]) for _ in range(2)]
        for trip in trips:
            assert trip["response_type"] == "code"
            assert trip["code_challenge_method"] == "S256"
            assert trip.get("response_mode") == ("form_post" if provider.kind == "apple" else None)
            assert all(len(trip[name]) >= 43 for name in ("state", "nonce", "code_challenge"))
        for name in ("state", "nonce", "code_challenge"):
            assert trips[0][name] != trips[1][name]
        flows = repr(await sql.rows("SELECT * FROM oauth_flows"))
        assert all(trip[name] not in flows for trip in trips for name in ("state", "nonce"))

    async def test_the_cookie_that_marks_the_browser_is_out_of_reach_of_scripts(self, browser: Browser) -> None:
        cookie = (await browser.start("google")).headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "Max-Age=660" in cookie
        secret = browser.http.cookies["memi_oauth"]
        await browser.start("apple")
        assert browser.http.cookies["memi_oauth"] == secret  # another tab does not spoil the first

    async def test_on_the_web_the_cookie_survives_a_post_across_sites_and_no_neighbour_can_plant_it(
        self, browser: Browser, runtime: Runtime
    ) -> None:
        """Apple's form is such a post."""
        local = runtime.adapters.get(BrowserCookies)
        on_the_web = Settings(_env_file=None, env=Environment.TEST, public_url="https://api.memi.example")
        runtime.adapters.set(BrowserCookies, BrowserCookies(on_the_web, runtime.key_ring))
        try:
            cookie = (await browser.start("apple")).headers["set-cookie"]
        finally:
            runtime.adapters.set(BrowserCookies, local)
        name, _, attributes = cookie.partition("=")
        assert name == "__Host-memi_oauth"
        assert {"Path=/", "HttpOnly", "Secure", "SameSite=None"} <= set(attributes.split("; "))

    async def test_trips_that_are_long_over_are_forgotten(
        self, google: OidcProvider, browser: Browser, runtime: Runtime, sql: Sql
    ) -> None:
        await browser.sign_in(google.account())
        await browser.start("google")
        await sql.execute("UPDATE oauth_flows SET expires_at = now() - interval '2 days' WHERE used_at IS NOT NULL")
        await sql.execute("UPDATE oauth_results SET expires_at = now() - interval '2 days'")
        await prune_oauth_trips.run(runtime)
        assert await sql.value("SELECT count(*) FROM oauth_flows WHERE used_at IS NOT NULL") == 0
        assert await sql.value("SELECT count(*) FROM oauth_flows") > 0
        assert await sql.value("SELECT count(*) FROM oauth_results") == 0


class TestWhoDoesNotGetIn:
    async def test_who_refuses_at_the_provider(self, provider: OidcProvider, browser: Browser, sql: Sql) -> None:
        before, account = await counts(sql), provider.account()
        url = (await browser.start(provider.kind)).headers["location"]
        callback = await browser.at_provider(url, account, consents=False)
        assert callback.method == ("POST" if provider.kind == "apple" else "GET")
        assert await browser.outcome(callback) == {"error": "access_denied", "provider": provider.kind}
        assert await counts(sql) == before

    @pytest.mark.parametrize(
        ("said", "told"),
        [
            ("temporarily_unavailable", "provider_unavailable"),
            ("server_error", "provider_unavailable"),
            ("invalid_scope", "invalid_callback"),
            ("<script>", "invalid_callback"),
        ],
    )
    async def test_other_errors_are_told_in_our_own_words(
        self, google: OidcProvider, browser: Browser, said: str, told: str
    ) -> None:
        callback = (await browser.leave_for(google.account())).but(code=None, error=said, error_description="<b>")
        assert await browser.outcome(callback) == {"error": told, "provider": "google"}

    async def test_an_address_that_is_known_here_is_not_linked_silently(
        self, google: OidcProvider, browser: Browser, people: People, sql: Sql
    ) -> None:
        person = await people.new()
        before = await counts(sql)
        outcome = await browser.outcome(await browser.leave_for(google.account(email=person.email.upper())))
        assert outcome == {"error": "link_required", "provider": "google"}
        assert await counts(sql) == before

    @pytest.mark.parametrize("claims", [{"email_verified": False}, {"email_verified": "false"}, {"email": "nonsense"}])
    async def test_an_address_that_the_provider_does_not_vouch_for(
        self, google: OidcProvider, browser: Browser, sql: Sql, claims: dict[str, Any]
    ) -> None:
        before = await counts(sql)
        outcome = await browser.outcome(await browser.leave_for(google.account(**claims)))
        assert outcome == {"error": "email_not_verified", "provider": "google"}
        assert await counts(sql) == before

    async def test_a_blocked_account(self, google: OidcProvider, browser: Browser, runtime: Runtime, sql: Sql) -> None:
        account, user_id = await _signed_up(google, browser)
        async with runtime.unit_of_work() as session:
            await users.block(session, user_id)
        results = await sql.value("SELECT count(*) FROM oauth_results")
        outcome = await browser.outcome(await browser.leave_for(account))
        assert outcome == {"error": "account_blocked", "provider": "google"}
        assert await sql.value("SELECT count(*) FROM oauth_results") == results

    async def test_an_account_blocked_before_the_code_is_exchanged(
        self, google: OidcProvider, browser: Browser, runtime: Runtime, sql: Sql
    ) -> None:
        account, user_id = await _signed_up(google, browser)
        outcome = await browser.outcome(await browser.leave_for(account))
        async with runtime.unit_of_work() as session:
            await users.block(session, user_id)
        sessions = await sql.value("SELECT count(*) FROM auth_sessions WHERE user_id = $1", user_id)
        reply = await browser.exchange(outcome["code"])
        assert (reply.status_code, reply.json()["code"]) == (403, "account_blocked")
        assert await sql.value("SELECT count(*) FROM auth_sessions WHERE user_id = $1", user_id) == sessions

    async def test_a_deleted_account(self, google: OidcProvider, browser: Browser, runtime: Runtime, sql: Sql) -> None:
        account, user_id = await _signed_up(google, browser)
        code = (await browser.outcome(await browser.leave_for(account)))["code"]
        async with runtime.unit_of_work() as session:
            await deletion.delete(session, user_id)
        before = await counts(sql)
        late = await browser.exchange(code)
        assert (late.status_code, late.json()["code"]) == (400, "invalid_oauth_code")
        for who in (account, google.account(email=account.email)):
            outcome = await browser.outcome(await browser.leave_for(who))
            assert outcome == {"error": "account_deleted", "provider": "google"}
        assert await counts(sql) == before


class TestWhereItLeads:
    async def test_an_address_that_is_not_allowed(self, browser: Browser, sql: Sql) -> None:
        before = await sql.value("SELECT count(*) FROM oauth_flows")
        for target in (f"{FRONT_END}/", f"{FRONT_END}?x=1", "https://evil.example/", "javascript:alert(1)", ""):
            reply = await browser.start("google", redirect_to=target)
            assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/redirect_to")
        assert (await browser.start("google", redirect_to=FRONT_END)).status_code == 302
        assert await sql.value("SELECT count(*) FROM oauth_flows") == before + 1

    async def test_a_provider_that_nobody_knows(self, browser: Browser) -> None:
        for path in ("start", "callback?code=x&state=y"):
            reply = await browser.http.get(f"{MEMI}/api/v1/auth/oauth/facebook/{path}")
            assert (reply.status_code, reply.json()["code"]) == (404, "provider_not_configured")


async def _signed_up(provider: OidcProvider, browser: Browser) -> tuple[Account, Any]:
    account = provider.account()
    return account, (await browser.sign_in(account)).json()["user"]["id"]
