"""Taking listings down and putting them back."""

from uuid import uuid4

import httpx
import pytest

from support.items import make_listing
from support.people import People
from support.sql import Sql

REASON = {"reason": "Counterfeit, says the brand"}


class TestRemove:
    async def test_anonymous(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        listing = await make_listing(await people.new(), sql)
        reply = await client.post(f"/api/v1/admin/listings/{listing['id']}/remove", json=REASON)
        assert (reply.status_code, reply.json()["code"]) == (401, "not_authenticated")
        assert await sql.value("SELECT status FROM listings WHERE id = $1", listing["id"]) == "ACTIVE"

    async def test_owner_and_stranger(self, people: People, sql: Sql) -> None:
        owner, stranger = await people.new(), await people.new()
        listing = await make_listing(owner, sql)
        for person in (owner, stranger):
            for move in ("remove", "restore"):
                reply = await person.post(f"/admin/listings/{listing['id']}/{move}", REASON)
                assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")
        assert await sql.value("SELECT status FROM listings WHERE id = $1", listing["id"]) == "ACTIVE"
        assert await sql.value("SELECT count(*) FROM audit_log WHERE target_id = $1", listing["id"]) == 0

    async def test_moderator(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        owner, moderator = await people.new(), await people.moderator()
        listing = await make_listing(owner, sql)
        path = f"/listings/{listing['id']}"
        assert (await client.get(f"/api/v1{path}")).status_code == 200
        reply = await moderator.post(f"/admin{path}/remove", REASON)
        assert reply.status_code == 200, reply.text
        assert (reply.json()["id"], reply.json()["status"]) == (listing["id"], "REMOVED")
        assert (await client.get(f"/api/v1{path}")).status_code == 404
        assert (await (await people.new()).get(path)).status_code == 404
        assert (await owner.get(path)).json()["status"] == "REMOVED"
        shown = (await client.get("/api/v1/listings?limit=100")).json()["items"]
        assert listing["id"] not in [card["id"] for card in shown]
        rows = await sql.rows("SELECT * FROM audit_log WHERE target_id = $1", listing["id"])
        assert len(rows) == 1
        assert (str(rows[0]["actor_id"]), rows[0]["action"]) == (moderator.id, "listing.remove")
        assert rows[0]["reason"] == REASON["reason"]

    async def test_twice(self, people: People, sql: Sql) -> None:
        moderator = await people.moderator()
        listing = await make_listing(await people.new(), sql)
        assert (await moderator.post(f"/admin/listings/{listing['id']}/remove", REASON)).status_code == 200
        again = await moderator.post(f"/admin/listings/{listing['id']}/remove", REASON)
        assert (again.status_code, again.json()["code"]) == (409, "illegal_transition")
        assert again.json()["current_status"] == "REMOVED"
        assert await sql.value("SELECT count(*) FROM audit_log WHERE target_id = $1", listing["id"]) == 1

    @pytest.mark.parametrize("body", [{}, {"reason": "x"}, {"reason": "y" * 501}, {"reason": "fine", "more": 1}])
    async def test_a_reason_is_needed(self, people: People, sql: Sql, body: dict[str, object]) -> None:
        listing = await make_listing(await people.new(), sql)
        reply = await (await people.moderator()).post(f"/admin/listings/{listing['id']}/remove", body)
        assert reply.status_code == 422
        assert await sql.value("SELECT status FROM listings WHERE id = $1", listing["id"]) == "ACTIVE"

    async def test_what_does_not_exist(self, people: People) -> None:
        moderator = await people.moderator()
        for move in ("remove", "restore"):
            reply = await moderator.post(f"/admin/listings/{uuid4()}/{move}", REASON)
            assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


class TestRestore:
    @pytest.mark.parametrize("status", ["DRAFT", "ACTIVE", "RESERVED", "SOLD"])
    async def test_gives_back_the_status_it_had(self, people: People, sql: Sql, status: str) -> None:
        owner, moderator = await people.new(), await people.moderator()
        listing = await make_listing(owner, sql, publish=status != "DRAFT")
        move = {"RESERVED": "reserve", "SOLD": "sold"}.get(status)
        if move:
            assert (await owner.post(f"/listings/{listing['id']}/{move}")).status_code == 200
        assert (await moderator.post(f"/admin/listings/{listing['id']}/remove", REASON)).status_code == 200
        reply = await moderator.post(f"/admin/listings/{listing['id']}/restore", {})
        assert reply.status_code == 200, reply.text
        # A removal ends the hold, so what was reserved comes back free.
        assert reply.json()["status"] == ("ACTIVE" if status == "RESERVED" else status)
        entry = (await sql.rows("SELECT * FROM audit_log WHERE action = 'listing.restore' ORDER BY at DESC"))[0]
        assert (entry["target_id"], entry["reason"]) == (listing["id"], None)

    async def test_only_what_is_removed(self, people: People, sql: Sql) -> None:
        moderator = await people.moderator()
        listing = await make_listing(await people.new(), sql)
        reply = await moderator.post(f"/admin/listings/{listing['id']}/restore", {})
        assert (reply.status_code, reply.json()["code"]) == (409, "illegal_transition")


class TestCollection:
    async def test_who_may(self, people: People, client: httpx.AsyncClient) -> None:
        assert (await client.get("/api/v1/admin/listings")).status_code == 401
        assert (await (await people.new()).get("/admin/listings")).json()["code"] == "permission_denied"

    async def test_every_status_by_pages(self, people: People, sql: Sql) -> None:
        owner, moderator = await people.new(), await people.moderator()
        made = [(await make_listing(owner, sql, publish=number % 2 == 0))["id"] for number in range(5)]
        seen: list[str] = []
        path = f"/admin/listings?seller={owner.id}&limit=2"
        page = (await moderator.get(path)).json()
        seen += [item["id"] for item in page["items"]]
        while page["next_cursor"]:
            page = (await moderator.get(f"{path}&cursor={page['next_cursor']}")).json()
            seen += [item["id"] for item in page["items"]]
        assert seen == list(reversed(made))
        drafts = (await moderator.get(f"/admin/listings?seller={owner.id}&status=DRAFT")).json()["items"]
        assert [item["status"] for item in drafts] == ["DRAFT", "DRAFT"]

    async def test_by_flag(self, people: People, sql: Sql) -> None:
        owner, moderator = await people.new(), await people.moderator()
        flagged, resolved, _ = [await make_listing(owner, sql) for _ in range(3)]
        insert = (
            "INSERT INTO listing_flags (id, listing_id, kind, source, note, resolved_at) "
            "VALUES ($1, $2, 'contact_details', 'RULE', 'a phone number', $3)"
        )
        await sql.execute(insert, uuid4(), flagged["id"], None)
        now = await sql.value("SELECT now()")
        await sql.execute(insert, uuid4(), resolved["id"], now)
        items = (await moderator.get("/admin/listings?flag=contact_details")).json()["items"]
        assert [item["id"] for item in items] == [flagged["id"]]
        assert items[0]["flags"][0]["kind"] == "contact_details"
        assert items[0]["flags"][0]["note"] == "a phone number"

    @pytest.mark.parametrize("query", ["status=GONE", "seller=me", "limit=0", "limit=101", "nope=1", "cursor=%00"])
    async def test_bad_queries(self, people: People, query: str) -> None:
        reply = await (await people.moderator()).get(f"/admin/listings?{query}")
        assert reply.status_code == 422

    async def test_a_cursor_of_another_collection(self, people: People, sql: Sql) -> None:
        moderator = await people.moderator()
        cursor = (await moderator.get("/admin/users?limit=1")).json()["next_cursor"]
        reply = await moderator.get(f"/admin/listings?cursor={cursor}")
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_cursor")


async def test_staff_may_say_which_version_they_saw(people: People, sql: Sql) -> None:
    moderator, listing = await people.moderator(), await make_listing(await people.new(), sql)
    for move, status in (("remove", "REMOVED"), ("restore", "ACTIVE")):
        before = await sql.rows("SELECT status, version FROM listings WHERE id = $1", listing["id"])
        version, path = before[0]["version"], f"/admin/listings/{listing['id']}/{move}"
        stale = await moderator.post(path, REASON, headers={"If-Match": f'"{version - 1}"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
        assert await sql.rows("SELECT status, version FROM listings WHERE id = $1", listing["id"]) == before
        made = await moderator.post(path, REASON, headers={"If-Match": f'"{version}"'})
        assert (made.status_code, made.json()["status"]) == (200, status)
