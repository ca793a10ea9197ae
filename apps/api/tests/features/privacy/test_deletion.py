"""Deleting an account, what that does to others, and having it back."""

import asyncio
from uuid import UUID

import httpx
import pytest

from features.privacy.conftest import Mailbox, days_pass
from memi.platform.runtime import Runtime
from support.browsers import signed_in_browser
from support.deals import Deals
from support.items import make_listing
from support.people import PASSWORD, People, Person
from support.sql import Sql

REASON = {"reason": "Asked for by letter"}
RESTORE = "/api/v1/auth/account/restore"


async def sign_in(client: httpx.AsyncClient, person: Person) -> httpx.Response:
    return await client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})


async def delete(person: Person) -> None:
    reply = await person.delete("/users/me")
    assert reply.status_code == 204, reply.text


async def is_deleted(sql: Sql, person: Person) -> bool:
    return await sql.value("SELECT deleted_at IS NOT NULL FROM users WHERE id = $1", UUID(person.id))


class TestWhoMay:
    async def test_anonymous(self, client: httpx.AsyncClient) -> None:
        assert (await client.delete("/api/v1/users/me")).status_code == 401

    async def test_a_session_whose_owner_was_not_proved_lately_cannot_delete_the_account(
        self, people: People, sql: Sql
    ) -> None:
        person = await people.new()
        await sql.execute(
            "UPDATE auth_sessions SET authenticated_at = now() - interval '1 hour' WHERE user_id = $1", UUID(person.id)
        )
        reply = await person.delete("/users/me")
        assert (reply.status_code, reply.json()["code"]) == (403, "step_up_required")
        assert await is_deleted(sql, person) is False
        assert (await person.get("/users/me")).status_code == 200


class TestDeleted:
    async def test_ends_every_session_and_nobody_can_tell_that_there_was_an_account(
        self, people: People, client: httpx.AsyncClient
    ) -> None:
        person = await people.new()
        elsewhere = (await sign_in(client, person)).json()
        await delete(person)
        assert (await person.get("/users/me")).json()["code"] == "invalid_token"
        assert (await person.delete("/users/me")).status_code == 401
        for token in (person.refresh_token, elsewhere["refresh_token"]):
            reply = await client.post("/api/v1/auth/refresh", json={"refresh_token": token})
            assert reply.status_code == 401
        refused = await sign_in(client, person)
        body = {"email": "nobody@example.com", "password": PASSWORD}
        unknown = await client.post("/api/v1/auth/login", json=body)
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
        assert refused.json()["code"] == unknown.json()["code"]
        assert (await client.get(f"/api/v1/users/{person.id}")).status_code == 404

    async def test_a_browser_forgets_its_cookies(self, client: httpx.AsyncClient) -> None:
        async with signed_in_browser(client) as browser:
            assert (await browser.request("GET", "/users/me")).status_code == 200
            assert (await browser.request("DELETE", "/users/me", csrf=None)).json()["code"] == "csrf_failed"
            assert (await browser.request("DELETE", "/users/me")).status_code == 204
            assert list(browser.client.cookies.jar) == []
            assert (await browser.request("GET", "/users/me")).json()["code"] == "not_authenticated"

    async def test_hides_the_listings(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        seller = await people.new()
        listing = await make_listing(seller, sql)
        await delete(seller)
        assert (await client.get(f"/api/v1/listings/{listing['id']}")).status_code == 404
        assert (await client.get(f"/api/v1/users/{seller.id}/listings")).json().get("items", []) == []
        cards = (await client.get("/api/v1/listings?limit=100")).json()["items"]
        assert listing["id"] not in [card["id"] for card in cards]
        # The owner's own copy is untouched, to be had back.
        assert await sql.value("SELECT status FROM listings WHERE id = $1", UUID(listing["id"])) == "ACTIVE"

    async def test_a_sellers_requests_and_holds_end(self, people: People, deals: Deals) -> None:
        deal = await deals.accepted()
        waiting = await deals.request(deal.item, await people.new(), deal.seller)
        await delete(deal.seller)
        for ended in (deal, waiting):
            reply = (await ended.buyer.get(f"/reservations/{ended.id}")).json()
            assert (reply["status"], reply["seller"]["name"]) == ("CANCELLED", "Deleted user")
        assert (await waiting.buyer.get(f"/reservations/{waiting.id}")).json()["ended_because"] == "seller_deleted"
        assert await deals.hold(deal.item) is None

    async def test_a_buyers_requests_and_holds_end_and_the_seller_hears_of_it(
        self, deals: Deals, mailbox: Mailbox
    ) -> None:
        deal = await deals.accepted()
        await delete(deal.buyer)
        reply = (await deal.seller.get(f"/reservations/{deal.id}")).json()
        assert (reply["status"], reply["ended_because"]) == ("CANCELLED", "buyer_deleted")
        assert await deals.listing_status(deal.item) == "ACTIVE"
        await mailbox.of(deal.buyer)
        told = (await deal.seller.get("/notifications")).json()["items"][0]
        assert (told["event"], told["data"]["other_name"]) == ("reservation.cancelled", "Deleted user")

    async def test_its_messages_stay_as_a_deleted_users_and_no_more_can_be_sent(self, people: People, sql: Sql) -> None:
        seller, buyer = await people.new("Murad"), await people.new("Leyla")
        listing = await make_listing(seller, sql)
        chat = (await buyer.post(f"/listings/{listing['id']}/chat", {"body": "Is it warm?"})).json()["chat"]
        await delete(buyer)
        inbox = (await seller.get("/chats")).json()["items"][0]
        assert inbox["other"] == {"id": buyer.id, "name": "Deleted user", "avatar_url": None}
        messages = (await seller.get(f"/chats/{chat['id']}/messages")).json()["items"]
        assert [message["body"] for message in messages] == ["Is it warm?"]
        reply = await seller.post(f"/chats/{chat['id']}/messages", {"body": "Very", "client_id": "1"})
        assert reply.json()["code"] == "chat_closed"

    async def test_of_two_at_once_one_deletes_and_one_mail_goes_out(self, people: People, mailbox: Mailbox) -> None:
        person = await people.new()
        before = len(await mailbox.of(person))
        replies = await asyncio.gather(*(person.delete("/users/me") for _ in range(4)))
        assert sorted(reply.status_code for reply in replies)[0] == 204
        assert [reply.status_code for reply in replies].count(204) == 1
        assert {reply.status_code for reply in replies} <= {204, 401, 404}
        assert len(await mailbox.of(person)) == before + 1


class TestRestore:
    async def test_the_mailed_link_brings_everything_back(
        self, people: People, client: httpx.AsyncClient, sql: Sql, mailbox: Mailbox
    ) -> None:
        seller, buyer = await people.new("Murad"), await people.new("Leyla")
        listing = await make_listing(seller, sql)
        await buyer.post(f"/listings/{listing['id']}/chat", {"body": "Hello"})
        me = (await seller.get("/users/me")).json()
        await delete(seller)
        link = await mailbox.link_of(seller)
        assert "/auth/restore-account#token=" in link
        reply = await client.post(RESTORE, json={"token": link.partition("#token=")[2]})
        assert (reply.status_code, reply.content) == (204, b"")
        assert (await seller.get("/users/me")).status_code == 401, "what ended stays ended"
        again = (await sign_in(client, seller)).json()
        assert again["user"]["id"] == seller.id
        assert {**again["user"], "version": 0} == {**me, "version": 0}
        assert (await client.get(f"/api/v1/users/{seller.id}")).status_code == 200
        assert (await client.get(f"/api/v1/listings/{listing['id']}")).json()["seller"]["name"] == "Murad"
        cards = (await client.get("/api/v1/listings?limit=100")).json()["items"]
        assert listing["id"] in [card["id"] for card in cards]
        assert (await buyer.get("/chats")).json()["items"][0]["other"]["name"] == "Murad"

    async def test_a_link_works_once_and_only_for_what_is_deleted(
        self, people: People, client: httpx.AsyncClient, mailbox: Mailbox, sql: Sql
    ) -> None:
        person = await people.new()
        await delete(person)
        token = await mailbox.token_of(person)
        replies = await asyncio.gather(*(client.post(RESTORE, json={"token": token}) for _ in range(4)))
        assert sorted(reply.status_code for reply in replies) == [204, 400, 400, 400]
        version = await sql.value("SELECT version FROM users WHERE id = $1", UUID(person.id))
        fresh = (await sign_in(client, person)).json()["access_token"]
        headers = {"Authorization": f"Bearer {fresh}"}
        assert (await client.delete("/api/v1/users/me", headers=headers)).status_code == 204
        reply = await client.post(RESTORE, json={"token": token})
        assert (reply.status_code, reply.json()["code"]) == (400, "invalid_mail_token")
        assert await is_deleted(sql, person) is True
        assert await sql.value("SELECT version FROM users WHERE id = $1", UUID(person.id)) == version + 1

    @pytest.mark.parametrize("token", ["A" * 43, "short", ""])
    async def test_no_other_token_does(self, client: httpx.AsyncClient, token: str) -> None:
        reply = await client.post(RESTORE, json={"token": token})
        assert reply.status_code == (400 if len(token) >= 20 else 422)

    async def test_when_the_days_are_over_it_is_too_late_also_before_anything_was_erased(
        self, people: People, client: httpx.AsyncClient, mailbox: Mailbox, sql: Sql
    ) -> None:
        person = await people.new()
        await delete(person)
        token = await mailbox.token_of(person)
        await days_pass(sql, person)
        reply = await client.post(RESTORE, json={"token": token})
        assert (reply.status_code, reply.json()["code"]) == (410, "restore_too_late")
        assert await is_deleted(sql, person) is True

    async def test_the_days_are_those_of_the_configuration_by_the_databases_clock(
        self, people: People, sql: Sql, runtime: Runtime
    ) -> None:
        person = await people.new()
        await delete(person)
        days = await sql.value(
            "SELECT extract(epoch FROM erase_after - deleted_at) / 86400 FROM users WHERE id = $1", UUID(person.id)
        )
        assert float(days) == runtime.settings.account_undo_days

    async def test_who_was_blocked_comes_back_blocked(
        self, people: People, client: httpx.AsyncClient, mailbox: Mailbox, sql: Sql
    ) -> None:
        seller = await people.new()
        listing = await make_listing(seller, sql)
        await delete(seller)
        token = await mailbox.token_of(seller)
        await sql.execute("UPDATE users SET is_blocked = true WHERE id = $1", UUID(seller.id))
        assert (await client.post(RESTORE, json={"token": token})).status_code == 204
        assert (await sign_in(client, seller)).json()["code"] == "account_blocked"
        assert (await client.get(f"/api/v1/listings/{listing['id']}")).status_code == 404

    async def test_the_address_is_taken_while_it_can_come_back(self, people: People, client: httpx.AsyncClient) -> None:
        person = await people.new()
        await delete(person)
        body = {"email": person.email, "password": PASSWORD, "name": "Someone"}
        reply = await client.post("/api/v1/auth/register", json=body)
        assert (reply.status_code, reply.json()["code"]) == (409, "email_taken")


class TestByStaff:
    async def test_only_administrators(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        target, stranger, moderator = await people.new(), await people.new(), await people.moderator()
        for method, path in (("DELETE", ""), ("POST", "/restore")):
            url = f"/admin/users/{target.id}{path}"
            assert (await client.request(method, f"/api/v1{url}", json=REASON)).status_code == 401
            for person in (stranger, moderator):
                reply = await person.request(method, url, json=REASON)
                assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")
        assert await is_deleted(sql, target) is False

    async def test_delete_and_restore_are_audited(
        self, people: People, client: httpx.AsyncClient, sql: Sql, mailbox: Mailbox
    ) -> None:
        target, admin = await people.new(), await people.admin()
        reply = await admin.request("DELETE", f"/admin/users/{target.id}", json=REASON)
        assert reply.status_code == 200
        assert reply.json()["deleted_at"] is not None
        assert (await target.get("/users/me")).status_code == 401
        assert "#token=" in await mailbox.link_of(target)
        again = await admin.request("DELETE", f"/admin/users/{target.id}", json=REASON)
        assert again.status_code == 404
        reply = await admin.post(f"/admin/users/{target.id}/restore", REASON)
        assert (reply.status_code, reply.json()["deleted_at"]) == (200, None)
        assert (await sign_in(client, target)).status_code == 200
        assert (await admin.post(f"/admin/users/{target.id}/restore", REASON)).status_code == 404
        rows = await sql.rows(
            "SELECT action, reason, before, after FROM audit_log WHERE target_id = $1 ORDER BY at", target.id
        )
        assert [row["action"] for row in rows] == ["user.delete", "user.restore"]
        assert (rows[0]["before"], rows[0]["after"]) == ('{"deleted": false}', '{"deleted": true}')

    async def test_not_oneself(self, people: People, sql: Sql) -> None:
        admin = await people.admin()
        reply = await admin.request("DELETE", f"/admin/users/{admin.id}", json=REASON)
        assert (reply.status_code, reply.json()["code"]) == (409, "cannot_delete_self")
        assert await is_deleted(sql, admin) is False
