"""Flags raised and resolved by hand, and what staff do about listings that their owners deleted."""

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest

from memi.platform.runtime import Runtime
from support.items import make_listing
from support.people import People, Person
from support.sql import Sql

FLAG = {"kind": "COUNTERFEIT", "note": "The stitching looks wrong"}


async def raised(moderator: Person, listing: str, **changes: object) -> dict[str, object]:
    reply = await moderator.post(f"/admin/listings/{listing}/flags", {**FLAG, **changes})
    assert reply.status_code == 201, reply.text
    return reply.json()


async def open_flags(sql: Sql, listing: str) -> int:
    query = "SELECT count(*) FROM listing_flags WHERE listing_id = $1 AND resolved_at IS NULL"
    return await sql.value(query, UUID(listing))


async def audited(sql: Sql, listing: str) -> list[str]:
    rows = await sql.rows("SELECT action FROM audit_log WHERE target_id = $1 ORDER BY at, id", listing)
    return [row["action"] for row in rows]


class TestFlags:
    async def test_who_may(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        owner = await people.new()
        listing = (await make_listing(owner, sql))["id"]
        flag = await raised(await people.moderator(), listing)
        for path in (f"/admin/listings/{listing}/flags", f"/admin/listings/{listing}/flags/{flag['id']}/resolve"):
            assert (await client.post(f"/api/v1{path}", json=FLAG)).status_code == 401
            for person in (owner, await people.new()):
                assert (await person.post(path, FLAG)).json()["code"] == "permission_denied"
        assert await open_flags(sql, listing) == 1

    async def test_a_flag_is_found_until_it_is_resolved(self, people: People, sql: Sql) -> None:
        moderator, owner = await people.moderator(), await people.new()
        listing = (await make_listing(owner, sql))["id"]
        other = (await make_listing(owner, sql))["id"]
        flag = await raised(moderator, listing)
        assert (flag["kind"], flag["source"], flag["resolved_at"]) == ("COUNTERFEIT", "USER", None)
        path = f"/admin/listings?seller={owner.id}"

        async def ids(query: str) -> list[str]:
            return [item["id"] for item in (await moderator.get(f"{path}&{query}")).json()["items"]]

        assert await ids("flag=COUNTERFEIT") == await ids("flagged=true") == [listing]
        assert await ids("flagged=false") == [other]
        resolve = f"/admin/listings/{listing}/flags/{flag['id']}/resolve"
        closed = await moderator.post(resolve, {"reason": "It is genuine"})
        assert (closed.status_code, closed.json()["id"]) == (200, flag["id"])
        assert closed.json()["resolved_at"] is not None
        assert await ids("flagged=true") == []
        assert await audited(sql, listing) == ["listing.flag", "listing.resolve_flag"]

    async def test_the_note_is_the_flags_alone(self, people: People, sql: Sql) -> None:
        """It is forgotten some day, and the audit log forgets nothing."""
        moderator = await people.moderator()
        listing = (await make_listing(await people.new(), sql))["id"]
        flag = await raised(moderator, listing)
        assert flag["note"] == FLAG["note"]
        entries = await sql.rows("SELECT to_jsonb(a)::text AS entry FROM audit_log a WHERE target_id = $1", listing)
        assert len(entries) == 1
        assert str(flag["id"]) in entries[0]["entry"]
        assert str(FLAG["note"]) not in entries[0]["entry"]

    async def test_one_open_flag_of_a_kind(self, people: People, sql: Sql) -> None:
        moderator = await people.moderator()
        listing = (await make_listing(await people.new(), sql))["id"]
        flag = await raised(moderator, listing)
        again = await moderator.post(f"/admin/listings/{listing}/flags", FLAG)
        assert (again.status_code, again.json()["code"]) == (409, "flag_exists")
        await raised(moderator, listing, kind="SPAM")
        await moderator.post(f"/admin/listings/{listing}/flags/{flag['id']}/resolve", {})
        await raised(moderator, listing)
        assert await open_flags(sql, listing) == 2

    async def test_of_two_at_once_one_raises_and_one_resolves(self, people: People, sql: Sql) -> None:
        moderators = [await people.moderator() for _ in range(4)]
        listing = (await make_listing(await people.new(), sql))["id"]
        path = f"/admin/listings/{listing}/flags"
        replies = await asyncio.gather(*(moderator.post(path, FLAG) for moderator in moderators))
        assert sorted(reply.status_code for reply in replies) == [201, 409, 409, 409]
        flag = next(reply.json()["id"] for reply in replies if reply.status_code == 201)
        replies = await asyncio.gather(*(moderator.post(f"{path}/{flag}/resolve", {}) for moderator in moderators))
        assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409]
        assert {reply.json()["code"] for reply in replies if reply.status_code == 409} == {"flag_resolved"}
        assert len(await audited(sql, listing)) == 2

    async def test_a_flag_of_another_listing(self, people: People, sql: Sql) -> None:
        moderator, owner = await people.moderator(), await people.new()
        one, other = [(await make_listing(owner, sql))["id"] for _ in range(2)]
        flag = await raised(moderator, one)
        for listing in (other, str(uuid4())):
            reply = await moderator.post(f"/admin/listings/{listing}/flags/{flag['id']}/resolve", {})
            assert reply.status_code == 404
        assert await open_flags(sql, one) == 1

    async def test_what_was_looked_at_is_what_it_is_now(self, people: People, sql: Sql) -> None:
        moderator, owner = await people.moderator(), await people.new()
        listing = await make_listing(owner, sql)
        flag, headers = await raised(moderator, listing["id"]), {"If-Match": f'"{listing["version"]}"'}
        await owner.patch(f"/listings/{listing['id']}", {"title": "Another coat entirely"})
        path = f"/admin/listings/{listing['id']}/flags"
        for where, body in ((f"{path}/{flag['id']}/resolve", {}), (path, {"kind": "SPAM"})):
            reply = await moderator.post(where, body, headers=headers)
            assert (reply.status_code, reply.json()["code"]) == (412, "stale_version")
        assert await open_flags(sql, listing["id"]) == 1

    @pytest.mark.parametrize("body", [{}, {"kind": "spam"}, {"kind": "X"}, {"kind": "SPAM", "source": "RULE"}])
    async def test_what_is_no_flag(self, people: People, sql: Sql, body: dict[str, str]) -> None:
        listing = (await make_listing(await people.new(), sql))["id"]
        assert (await (await people.moderator()).post(f"/admin/listings/{listing}/flags", body)).status_code == 422
        assert await open_flags(sql, listing) == 0


class TestDeletedByTheirOwner:
    @pytest.mark.parametrize(("publish", "status"), [(True, "ACTIVE"), (False, "DRAFT")])
    async def test_an_administrator_gives_it_back(
        self, people: People, client: httpx.AsyncClient, sql: Sql, publish: bool, status: str
    ) -> None:
        owner, admin = await people.new(), await people.admin()
        listing = (await make_listing(owner, sql, publish=publish))["id"]
        assert (await owner.delete(f"/listings/{listing}")).status_code == 204
        assert (await client.get(f"/api/v1/listings/{listing}")).status_code == 404
        reply = await admin.post(f"/admin/listings/{listing}/restore", {"reason": "Asked for by mail"})
        assert (reply.status_code, reply.json()["status"]) == (200, status)
        assert await sql.value("SELECT deleted_at FROM listings WHERE id = $1", UUID(listing)) is None
        assert (await client.get(f"/api/v1/listings/{listing}")).status_code == (200 if publish else 404)
        entry = (await sql.rows("SELECT before, after FROM audit_log WHERE target_id = $1", listing))[0]
        assert (entry["before"], entry["after"]) == ('{"status": "DELETED"}', f'{{"status": "{status}"}}')

    async def test_a_moderator_does_not(self, people: People, sql: Sql) -> None:
        owner, moderator = await people.new(), await people.moderator()
        listing = (await make_listing(owner, sql))["id"]
        await owner.delete(f"/listings/{listing}")
        reply = await moderator.post(f"/admin/listings/{listing}/restore", {})
        assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")
        assert await sql.value("SELECT status FROM listings WHERE id = $1", UUID(listing)) == "DELETED"

    async def test_nothing_comes_back_without_its_seller(self, people: People, sql: Sql, runtime: Runtime) -> None:
        owner, admin = await people.new(), await people.admin()
        listing = (await make_listing(owner, sql))["id"]
        await owner.delete(f"/listings/{listing}")
        await owner.delete("/users/me")
        reply = await admin.post(f"/admin/listings/{listing}/restore", {})
        assert (reply.status_code, reply.json()["code"]) == (409, "seller_gone")
        assert await sql.value("SELECT status FROM listings WHERE id = $1", UUID(listing)) == "DELETED"
