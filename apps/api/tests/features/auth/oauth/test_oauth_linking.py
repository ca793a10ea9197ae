"""Linking a provider's account to one's own, and undoing it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from memi.platform.runtime import Runtime
from memi.users import service as users
from support.oidc import FRONT_END, MEMI, Account, Browser, OidcProvider
from support.people import People, Person
from support.sql import Sql

LINKED = "SELECT provider, subject FROM external_identities WHERE user_id = $1::text::uuid ORDER BY provider"
OAUTH = f"{MEMI}/api/v1/auth/oauth"


@pytest.fixture
async def person(people: People, runtime: Runtime) -> Person:
    """Somebody whose address is verified."""
    made = await people.new()
    async with runtime.unit_of_work() as session:
        await users.mark_verified(session, UUID(made.id))
    return made


async def linked(sql: Sql, person: Person) -> list[tuple[str, str]]:
    return [(row["provider"], row["subject"]) for row in await sql.rows(LINKED, person.id)]


async def begin(browser: Browser, person: Person, provider: str = "google", **body: Any) -> httpx.Response:
    return await browser.http.post(f"{OAUTH}/{provider}/link", json=body or None, headers=person.headers)


async def link(browser: Browser, person: Person, account: Account) -> dict[str, str]:
    """The whole way; what the front end is told."""
    reply = await begin(browser, person, account.provider)
    assert reply.status_code == 200, reply.text
    return await browser.outcome(await browser.at_provider(reply.json()["authorization_url"], account))


async def unlink(browser: Browser, person: Person, provider: str = "google") -> httpx.Response:
    return await browser.http.delete(f"{OAUTH}/{provider}", headers=person.headers)


async def proved_long_ago(sql: Sql, person: Person) -> None:
    await sql.execute(
        "UPDATE auth_sessions SET authenticated_at = now() - interval '1 day' WHERE user_id = $1::text::uuid", person.id
    )


class TestLinking:
    async def test_who_is_signed_in_links_and_signs_in_by_it_later(
        self, google: OidcProvider, apple: OidcProvider, open_browser: Callable[[], Browser], person: Person, sql: Sql
    ) -> None:
        browser, accounts = open_browser(), [google.account(), apple.account(email=person.email)]
        for account in accounts:
            outcome = await link(browser, person, account)
            assert outcome == {"linked": account.provider, "provider": account.provider}
        assert sorted(await linked(sql, person)) == sorted((known.provider, known.sub) for known in accounts)
        for account in accounts:
            assert (await open_browser().sign_in(account)).json()["user"]["id"] == person.id
        listed = (await browser.http.get(f"{OAUTH}/identities", headers=person.headers)).json()
        assert listed["providers"] == ["apple", "google"]
        assert [(item["provider"], item["email"]) for item in listed["items"]] == [
            (account.provider, account.email) for account in accounts
        ]

    async def test_linking_and_unlinking_are_told_by_mail(
        self,
        google: OidcProvider,
        browser: Browser,
        person: Person,
        runtime: Runtime,
        run_jobs: Callable[[], Awaitable[None]],
    ) -> None:
        def mails() -> int:
            folder = runtime.settings.data_dir / "mail"
            texts = [path.read_text() for path in folder.glob("*.eml")]
            return sum(f"To: {person.email}" in text for text in texts)

        await run_jobs()
        before = mails()
        await link(browser, person, google.account())
        await run_jobs()
        assert mails() == before + 1
        assert (await unlink(browser, person)).status_code == 204
        await run_jobs()
        assert mails() == before + 2

    async def test_the_same_account_linked_from_two_tabs_is_no_error(
        self, google: OidcProvider, browser: Browser, person: Person, sql: Sql
    ) -> None:
        account = google.account()
        urls = [(await begin(browser, person)).json()["authorization_url"] for _ in range(2)]
        for url in urls:
            assert "linked" in await browser.outcome(await browser.at_provider(url, account))
        assert await linked(sql, person) == [("google", account.sub)]

    async def test_it_needs_somebody_signed_in(self, browser: Browser, sql: Sql) -> None:
        flows = await sql.value("SELECT count(*) FROM oauth_flows")
        for method, path in (("POST", "google/link"), ("DELETE", "google"), ("GET", "identities")):
            reply = await browser.http.request(method, f"{OAUTH}/{path}")
            assert (reply.status_code, reply.json()["code"]) == (401, "not_authenticated")
        assert await sql.value("SELECT count(*) FROM oauth_flows") == flows

    async def test_it_needs_a_recent_proof(
        self, google: OidcProvider, browser: Browser, person: Person, sql: Sql
    ) -> None:
        account = google.account()
        await link(browser, person, account)
        await proved_long_ago(sql, person)
        flows = await sql.value("SELECT count(*) FROM oauth_flows")
        for reply in (await begin(browser, person, "apple"), await unlink(browser, person)):
            assert (reply.status_code, reply.json()["code"]) == (403, "step_up_required")
        assert await sql.value("SELECT count(*) FROM oauth_flows") == flows
        assert await linked(sql, person) == [("google", account.sub)]

    async def test_it_needs_a_verified_address_of_ones_own(
        self, google: OidcProvider, browser: Browser, people: People, person: Person, sql: Sql
    ) -> None:
        """Else somebody registers another's address, links, and waits for its owner to take the account over."""
        unverified = await people.new()
        flows = await sql.value("SELECT count(*) FROM oauth_flows")
        reply = await begin(browser, unverified)
        assert (reply.status_code, reply.json()["code"]) == (403, "email_not_verified")
        assert await sql.value("SELECT count(*) FROM oauth_flows") == flows
        url = (await begin(browser, person)).json()["authorization_url"]
        await sql.execute("UPDATE users SET email_verified_at = NULL WHERE id = $1::text::uuid", person.id)
        outcome = await browser.outcome(await browser.at_provider(url, google.account()))
        assert outcome["error"] == "email_not_verified"
        assert await linked(sql, person) == []

    async def test_it_needs_an_address_that_the_provider_vouches_for(
        self, google: OidcProvider, browser: Browser, person: Person, sql: Sql
    ) -> None:
        outcome = await link(browser, person, google.account(email_verified=False))
        assert outcome["error"] == "email_not_verified"
        assert await linked(sql, person) == []

    async def test_an_account_that_signs_somebody_else_in_is_taken(
        self, google: OidcProvider, open_browser: Callable[[], Browser], person: Person, sql: Sql
    ) -> None:
        account = google.account()
        owner = (await open_browser().sign_in(account)).json()["user"]["id"]
        outcome = await link(open_browser(), person, account)
        assert outcome == {"error": "identity_taken", "provider": "google"}
        assert await linked(sql, person) == []
        assert (await open_browser().sign_in(account)).json()["user"]["id"] == owner

    async def test_one_account_of_a_provider_is_enough(
        self, google: OidcProvider, browser: Browser, person: Person, sql: Sql
    ) -> None:
        first = google.account()
        waiting = (await begin(browser, person)).json()["authorization_url"]
        await link(browser, person, first)
        late = await browser.outcome(await browser.at_provider(waiting, google.account()))
        # The browser is still signed in at the provider as the first, which is linked already.
        assert late == {"linked": "google", "provider": "google"}
        reply = await begin(browser, person)
        assert (reply.status_code, reply.json()["code"]) == (409, "already_linked")
        assert await linked(sql, person) == [("google", first.sub)]

    async def test_another_account_linked_meanwhile_stays_the_one(
        self, google: OidcProvider, open_browser: Callable[[], Browser], person: Person, sql: Sql
    ) -> None:
        first, slow = google.account(), open_browser()
        waiting = (await begin(slow, person)).json()["authorization_url"]
        await link(open_browser(), person, first)
        late = await slow.outcome(await slow.at_provider(waiting, google.account()))
        assert late == {"error": "already_linked", "provider": "google"}
        assert await linked(sql, person) == [("google", first.sub)]

    async def test_of_many_people_who_link_one_account_at_once_one_has_it(
        self,
        google: OidcProvider,
        open_browser: Callable[[], Browser],
        people: People,
        runtime: Runtime,
        sql: Sql,
    ) -> None:
        account = google.account()
        waiting = []
        for _ in range(4):
            somebody, browser = await people.new(), open_browser()
            async with runtime.unit_of_work() as session:
                await users.mark_verified(session, UUID(somebody.id))
            url = (await begin(browser, somebody)).json()["authorization_url"]
            waiting.append((browser, await browser.at_provider(url, account)))
        outcomes = await asyncio.gather(*(browser.outcome(callback) for browser, callback in waiting))
        assert sorted(outcome.get("error", "") for outcome in outcomes) == [""] + ["identity_taken"] * 3
        assert await sql.value("SELECT count(*) FROM external_identities WHERE subject = $1", account.sub) == 1

    async def test_somebody_else_cannot_finish_it(
        self, google: OidcProvider, open_browser: Callable[[], Browser], person: Person, sql: Sql
    ) -> None:
        """A victim lured onto an attacker's trip must not have their own sign-in open the attacker's account."""
        attacker, victim = open_browser(), open_browser()
        url = (await begin(attacker, person)).json()["authorization_url"]
        await victim.start("google")
        callback = await victim.at_provider(url, google.account())
        reply = await victim.come_back(callback)
        assert (reply.status_code, reply.json()["code"]) == (400, "invalid_oauth_state")
        assert await linked(sql, person) == []

    async def test_a_session_that_ended_meanwhile_links_nothing(
        self, google: OidcProvider, browser: Browser, person: Person, sql: Sql
    ) -> None:
        url = (await begin(browser, person)).json()["authorization_url"]
        callback = await browser.at_provider(url, google.account())
        await sql.execute("UPDATE auth_sessions SET revoked_at = now() WHERE user_id = $1::text::uuid", person.id)
        assert await browser.outcome(callback) == {"error": "session_ended", "provider": "google"}
        assert await linked(sql, person) == []

    async def test_a_wrong_address_or_provider(self, browser: Browser, person: Person, sql: Sql) -> None:
        flows = await sql.value("SELECT count(*) FROM oauth_flows")
        wrong = await begin(browser, person, redirect_to=f"{FRONT_END}/x")
        assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/redirect_to")
        unknown = await begin(browser, person, "facebook")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "provider_not_configured")
        assert await sql.value("SELECT count(*) FROM oauth_flows") == flows


class TestUnlinking:
    async def test_a_password_is_way_enough(
        self, google: OidcProvider, open_browser: Callable[[], Browser], person: Person, sql: Sql
    ) -> None:
        account = google.account()
        await link(open_browser(), person, account)
        assert (await unlink(open_browser(), person)).status_code == 204
        assert await linked(sql, person) == []
        again = await unlink(open_browser(), person)
        assert (again.status_code, again.json()["code"]) == (404, "not_found")
        # It means nothing here any more.
        fresh = await open_browser().sign_in(account)
        assert fresh.json()["user"]["id"] != person.id

    async def test_the_last_way_to_sign_in_stays(
        self, google: OidcProvider, apple: OidcProvider, browser: Browser, sql: Sql
    ) -> None:
        person = await _without_password(browser, google)
        reply = await unlink(browser, person)
        assert (reply.status_code, reply.json()["code"]) == (409, "last_sign_in_method")
        assert len(await linked(sql, person)) == 1
        await link(browser, person, apple.account())
        assert (await unlink(browser, person)).status_code == 204
        assert [provider for provider, _ in await linked(sql, person)] == ["apple"]
        assert (await unlink(browser, person, "apple")).status_code == 409

    async def test_of_two_at_once_one_stays(
        self, google: OidcProvider, apple: OidcProvider, browser: Browser, sql: Sql
    ) -> None:
        person = await _without_password(browser, google)
        await link(browser, person, apple.account())
        async with sql.connection.transaction():
            # Both have looked, if they may, before either can delete.
            await sql.execute("SELECT FROM external_identities WHERE user_id = $1::text::uuid FOR UPDATE", person.id)
            both = [asyncio.create_task(unlink(browser, person, name)) for name in ("google", "apple")]
            await asyncio.sleep(0.5)
        replies = await asyncio.gather(*both)
        assert sorted(reply.status_code for reply in replies) == [204, 409]
        assert len(await linked(sql, person)) == 1


async def _without_password(browser: Browser, google: OidcProvider) -> Person:
    """Somebody who came by Google."""
    made = (await browser.sign_in(google.account())).json()
    return Person(browser.http, made["user"]["id"], made["user"]["email"], made["access_token"], made["refresh_token"])
