"""Pages by number and totals of what staff look through."""

from uuid import UUID

import pytest

from memi.platform.ids import new_id
from support.cases import Cases
from support.items import make_listing
from support.people import People
from support.sql import Sql
from support.talks import Talks

COLLECTIONS = [
    "/admin/users",
    "/admin/listings",
    "/admin/audit",
    "/admin/jobs/dead",
    "/admin/reports",
    "/admin/appeals",
]


@pytest.fixture(scope="module", autouse=True)
async def some_of_each(people: People, sql: Sql) -> None:
    """Seven rows at least, of everything."""
    seller, moderator = await people.new(), await people.moderator()
    cases = Cases(people, Talks(people, sql), sql)
    for number in range(7):
        await cases.new()
        decided = await cases.new()
        await decided.decided(moderator, "REMOVE_LISTING")
        await decided.appealed()
        made = await make_listing(seller, sql)
        await people.new()
        await moderator.post(f"/admin/listings/{made['id']}/remove", {"reason": "Not allowed"})
        await sql.execute(
            "INSERT INTO dead_jobs (id, name, payload, attempts, error) VALUES ($1, $2, '{}', 8, 'no')",
            new_id(),
            "an.even.job" if number % 2 == 0 else "an.odd.job",
        )


@pytest.mark.parametrize("path", COLLECTIONS)
class TestPages:
    async def test_pages_are_the_same_rows_in_the_same_order_as_by_cursor(self, people: People, path: str) -> None:
        admin = await people.admin()
        whole = (await admin.get(f"{path}?limit=100")).json()
        assert set(whole) == {"items", "next_cursor"}
        paged: list[dict[str, object]] = []
        for number in range(1, 200):
            reply = (await admin.get(f"{path}?limit=3&page={number}")).json()
            assert (reply["page"], reply["limit"]) == (number, 3)
            paged += reply["items"]
            if not reply["has_more"]:
                assert reply["next_cursor"] is None
                break
            assert len(reply["items"]) == 3
        assert paged == whole["items"]
        assert len(paged) >= 7

    async def test_a_page_says_where_to_go_on_by_cursor(self, people: People, path: str) -> None:
        admin = await people.admin()
        first = (await admin.get(f"{path}?limit=2&page=1")).json()
        by_cursor = (await admin.get(path, params={"limit": 2, "cursor": first["next_cursor"]})).json()
        assert by_cursor["items"] == (await admin.get(f"{path}?limit=2&page=2")).json()["items"]

    async def test_the_total_is_counted_when_asked(self, people: People, path: str) -> None:
        admin = await people.admin()
        rows = (await admin.get(f"{path}?limit=100")).json()["items"]
        for query in ("limit=2&page=2&total=true", "limit=2&total=true"):
            reply = (await admin.get(f"{path}?{query}")).json()
            assert (reply["total"], reply["total_is_exact"]) == (len(rows), True)
        assert "total" not in (await admin.get(f"{path}?page=1")).json()

    async def test_past_the_end_there_is_nothing(self, people: People, path: str) -> None:
        reply = (await (await people.admin()).get(f"{path}?limit=100&page=100")).json()
        assert (reply["items"], reply["has_more"]) == ([], False)

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("limit=100&page=101", "page_too_deep"),
            ("limit=1&page=10001", "page_too_deep"),
            ("page=0", "validation_failed"),
            ("page=-1", "validation_failed"),
            ("page=x", "validation_failed"),
            ("total=maybe", "validation_failed"),
            ("page=1&cursor=abc", "validation_failed"),
            ("cursor=abc", "invalid_cursor"),
        ],
    )
    async def test_what_is_refused(self, people: People, path: str, query: str, code: str) -> None:
        reply = await (await people.admin()).get(f"{path}?{query}")
        assert (reply.status_code, reply.json()["code"]) == (422, code)
        assert reply.json()["errors"]


async def test_a_total_ends_at_ten_thousand(people: People, sql: Sql) -> None:
    admin = await people.admin()
    await sql.execute(
        "INSERT INTO dead_jobs (id, name, payload, attempts, error)"
        " SELECT gen_random_uuid(), 'a.flood', '', 1, 'no' FROM generate_series(1, 10002)"
    )
    reply = (await admin.get("/admin/jobs/dead?name=a.flood&total=true&limit=1")).json()
    assert (reply["total"], reply["total_is_exact"]) == (10_000, False)
    last = (await admin.get("/admin/jobs/dead?name=a.flood&page=100&limit=100")).json()
    assert (len(last["items"]), last["has_more"]) == (100, True)
    await sql.execute("DELETE FROM dead_jobs WHERE name = 'a.flood'")


async def test_a_persons_sessions(people: People, sql: Sql) -> None:
    person, moderator = await people.new(), await people.moderator()
    path = f"/admin/users/{person.id}/sessions"
    (found,) = (await moderator.get(f"{path}?total=true")).json()["items"]
    assert found["current"] is False
    shown = {"id", "device", "ip", "transport", "current", "second_factor", "created_at", "last_seen_at", "expires_at"}
    assert set(found) == shown
    own = (await moderator.get(f"/admin/users/{moderator.id}/sessions")).json()["items"]
    assert [item["current"] for item in own] == [True, False]
    assert (await person.get(path)).status_code == 403
    assert (await moderator.get(f"/admin/users/{new_id()}/sessions")).status_code == 404
    await moderator.post(f"/admin/users/{person.id}/sessions/end", {"reason": "Stolen phone"})
    assert (await moderator.get(path)).json()["items"] == []


class TestFindingPeople:
    async def test_by_id(self, people: People) -> None:
        moderator, person = await people.moderator(), await people.new()
        items = (await moderator.get(f"/admin/users?q={person.id}")).json()["items"]
        assert [item["id"] for item in items] == [person.id]

    async def test_by_role_and_standing(self, people: People, sql: Sql) -> None:
        admin, moderator = await people.admin(), await people.moderator()
        blocked, gone = await people.new("Blocked"), await people.new("Gone")
        await admin.post(f"/admin/users/{blocked.id}/block", {"reason": "Fraud"})
        await gone.delete("/users/me")

        async def ids(query: str) -> set[str]:
            found: set[str] = set()
            for page in range(1, 20):
                reply = (await admin.get(f"/admin/users?limit=100&page={page}&{query}")).json()
                found |= {item["id"] for item in reply["items"]}
                if not reply["has_more"]:
                    break
            return found

        for query, where in (
            ("role=MODERATOR", "roles @> '{MODERATOR}'"),
            ("role=ADMIN", "roles @> '{ADMIN}'"),
            ("blocked=true", "is_blocked"),
            ("blocked=false", "NOT is_blocked"),
            ("deleted=true", "deleted_at IS NOT NULL"),
            ("deleted=false&blocked=false&role=USER", "deleted_at IS NULL AND NOT is_blocked"),
        ):
            wanted = {str(row["id"]) for row in await sql.rows(f"SELECT id FROM users WHERE {where}")}
            assert await ids(query) == wanted, query
        assert blocked.id in await ids("blocked=true")
        assert gone.id in await ids("deleted=true")
        assert moderator.id in await ids("role=MODERATOR")

    async def test_one_with_its_numbers(self, people: People, sql: Sql) -> None:
        moderator, seller = await people.moderator(), await people.new()
        first = await make_listing(seller, sql)
        await make_listing(seller, sql)
        assert (await seller.post(f"/listings/{first['id']}/sold")).status_code == 200
        reply = await moderator.get(f"/admin/users/{seller.id}")
        assert reply.json()["numbers"] == {"active_listings": 1, "sold": 1, "reply_minutes": None}
        assert reply.headers["etag"] == f'"{reply.json()["version"]}"'
        assert await sql.value("SELECT version FROM users WHERE id = $1", UUID(seller.id)) == reply.json()["version"]
        for secret in ("hash", "password", "epoch", "secret"):
            assert secret not in reply.text
