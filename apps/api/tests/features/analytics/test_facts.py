"""What the database writes down by itself, whoever changes what, so that each day can be counted."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from support.deals import Deals
from support.deals import deals as deals
from support.items import make_listing
from support.people import People
from support.sql import Sql

RunJobs = Callable[[], Awaitable[None]]


async def moves(sql: Sql, subject: str, subject_id: object) -> list[tuple[str | None, str | None]]:
    rows = await sql.rows(
        "SELECT before, after FROM status_moves WHERE subject = $1 AND subject_id = $2 ORDER BY id",
        subject,
        UUID(str(subject_id)),
    )
    return [(row["before"], row["after"]) for row in rows]


class TestMoves:
    async def test_every_move_of_a_listing_is_written_with_it(self, people: People, sql: Sql) -> None:
        seller, moderator = await people.new(), await people.moderator()
        listing = await make_listing(seller, sql, publish=False)
        path = f"/listings/{listing['id']}"
        for move in ("publish", "reserve", "unreserve", "sold"):
            assert (await seller.post(f"{path}/{move}")).status_code == 200
        assert (await seller.post(f"{path}/publish")).status_code == 409
        for move in ("remove", "restore"):
            assert (await moderator.post(f"/admin{path}/{move}", {"reason": "As a test"})).status_code == 200
        assert await moves(sql, "LISTING", listing["id"]) == [
            (None, "DRAFT"),
            ("DRAFT", "ACTIVE"),
            ("ACTIVE", "RESERVED"),
            ("RESERVED", "ACTIVE"),
            ("ACTIVE", "SOLD"),
            ("SOLD", "REMOVED"),
            ("REMOVED", "SOLD"),
        ]

    async def test_a_listing_that_is_gone_has_left_its_status(self, people: People, sql: Sql) -> None:
        listing = await make_listing(await people.new(), sql, publish=False)
        await sql.execute("DELETE FROM listings WHERE id = $1", UUID(listing["id"]))
        assert await moves(sql, "LISTING", listing["id"]) == [(None, "DRAFT"), ("DRAFT", None)]

    async def test_those_of_reservations_and_orders_too(self, deals: Deals, sql: Sql) -> None:
        deal = await deals.accepted()
        assert await moves(sql, "RESERVATION", deal.id) == [(None, "REQUESTED"), ("REQUESTED", "ACCEPTED")]
        reply = await deal.buyer.post("/orders", {"reservation_id": deal.id, "delivery": "MEETUP"})
        assert reply.status_code == 201, reply.text
        order_id = reply.json()["id"]
        assert (await deal.buyer.post(f"/orders/{order_id}/complete")).status_code == 200
        assert await moves(sql, "ORDER", order_id) == [(None, "PENDING"), ("PENDING", "COMPLETED")]
        assert (await moves(sql, "RESERVATION", deal.id))[-1] == ("ACCEPTED", "COMPLETED")
        assert (await moves(sql, "LISTING", deal.item))[-2:] == [("ACTIVE", "RESERVED"), ("RESERVED", "SOLD")]
        assert await sql.value("SELECT count(*) FROM status_moves WHERE listing_id = $1", UUID(deal.item)) == 9

    async def test_the_last_of_each_is_the_status_it_has(self, sql: Sql) -> None:
        """After all of the above, and whatever else there is."""
        for table, subject in (("listings", "LISTING"), ("reservations", "RESERVATION"), ("orders", "ORDER")):
            assert await sql.value(f"SELECT count(*) FROM {table}") > 0
            wrong = await sql.rows(
                f"SELECT t.id, t.status, m.after FROM {table} t LEFT JOIN LATERAL (SELECT after FROM status_moves "
                "WHERE subject = $1 AND subject_id = t.id ORDER BY id DESC LIMIT 1) m ON true "
                "WHERE m.after IS DISTINCT FROM t.status",
                subject,
            )
            assert wrong == []

    @pytest.mark.parametrize("role", ["app", "migrator", "superuser"])
    @pytest.mark.parametrize(
        "statement", ["UPDATE status_moves SET at = now()", "DELETE FROM status_moves", "TRUNCATE status_moves"]
    )
    async def test_nobody_rewrites_them(self, sql: Sql, database_urls: EmbeddedUrls, role: str, statement: str) -> None:
        before = await sql.rows("SELECT * FROM status_moves ORDER BY id")
        assert before
        connection = await asyncpg.connect(getattr(database_urls, role))
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        finally:
            await connection.close()
        assert await sql.rows("SELECT * FROM status_moves ORDER BY id") == before


DAY = datetime(2025, 6, 10, 9, tzinfo=UTC)


class TestWhatComesWithAPast:
    """Rows that are written whole, as an import does, have gone through what their times tell."""

    @pytest.mark.parametrize(
        ("row", "expected"),
        [
            ({"status": "DRAFT"}, [(0, None, "DRAFT")]),
            ({"status": "ACTIVE", "published_at": 2}, [(0, None, "DRAFT"), (2, "DRAFT", "ACTIVE")]),
            (
                {"status": "SOLD", "published_at": 2, "sold_at": 5},
                [(0, None, "DRAFT"), (2, "DRAFT", "ACTIVE"), (5, "ACTIVE", "SOLD")],
            ),
            (
                {"status": "EXPIRED", "published_at": 2, "expires_at": 62},
                [(0, None, "DRAFT"), (2, "DRAFT", "ACTIVE"), (62, "ACTIVE", "EXPIRED")],
            ),
            (
                {"status": "DELETED", "previous_status": "ACTIVE", "published_at": 2, "deleted_at": 7},
                [(0, None, "DRAFT"), (2, "DRAFT", "ACTIVE"), (7, "ACTIVE", "DELETED")],
            ),
            ({"status": "ACTIVE", "published_at": -3}, [(-3, None, "DRAFT"), (-3, "DRAFT", "ACTIVE")]),
        ],
    )
    async def test_a_listing(
        self, people: People, sql: Sql, row: dict[str, Any], expected: list[tuple[int, str | None, str]]
    ) -> None:
        seller, listing_id = await people.new(), uuid4()
        times = {name: DAY + timedelta(days=value) for name, value in row.items() if isinstance(value, int)}
        category = await sql.value("SELECT id FROM categories WHERE slug = 'kids-shoes'")
        await sql.execute(
            "INSERT INTO listings (id, seller_id, title, price_amount, currency, condition, category_id, status, "
            "previous_status, created_at, published_at, sold_at, expires_at, deleted_at) "
            "VALUES ($1, $2, 'Coat', 1000, 'AZN', 'GOOD', $3, $4, $5, $6, $7, $8, $9, $10)",
            listing_id,
            UUID(seller.id),
            category,
            row["status"],
            row.get("previous_status"),
            DAY,
            *(times.get(name) for name in ("published_at", "sold_at", "expires_at", "deleted_at")),
        )
        found = await sql.rows("SELECT * FROM status_moves WHERE subject_id = $1 ORDER BY id", listing_id)
        assert [(move["at"], move["before"], move["after"]) for move in found] == [
            (DAY + timedelta(days=days), before, after) for days, before, after in expected
        ]
        for days, _, _ in expected:
            day = (DAY + timedelta(days=days)).date()
            assert await sql.value("SELECT count(*) FROM analytics_marks WHERE day = $1", day) > 0


class TestMarks:
    async def marks(self, sql: Sql) -> list[date]:
        return [row["day"] for row in await sql.rows("DELETE FROM analytics_marks RETURNING day")]

    async def test_what_happens_today_leaves_none(self, people: People, sql: Sql) -> None:
        await self.marks(sql)
        seller = await people.new()
        await make_listing(seller, sql)
        assert (await seller.delete("/users/me")).status_code == 204
        assert await self.marks(sql) == []

    async def test_accounts_of_another_day_mark_it_once_for_all_of_a_statement(self, sql: Sql) -> None:
        await self.marks(sql)
        await sql.execute(
            "INSERT INTO users (id, email, name, created_at) SELECT gen_random_uuid(), 'past-' || n || '@example.com', "
            "'Someone', $1::timestamptz + n * interval '6 hours' FROM generate_series(0, 7) AS n",
            DAY,
        )
        assert sorted(await self.marks(sql)) == [DAY.date() + timedelta(days=number) for number in range(3)]

    async def test_who_comes_back_never_left(self, people: People, sql: Sql) -> None:
        await self.marks(sql)
        person = await people.new()
        await sql.execute("UPDATE users SET deleted_at = $2 WHERE id = $1", UUID(person.id), DAY)
        assert await self.marks(sql) == [DAY.date()]
        await sql.execute("UPDATE users SET deleted_at = NULL WHERE id = $1", UUID(person.id))
        assert await self.marks(sql) == [DAY.date()]


class TestDaysOfPeople:
    async def days(self, sql: Sql, user_id: str) -> list[date]:
        rows = await sql.rows("SELECT day FROM user_days WHERE user_id = $1 ORDER BY day", UUID(user_id))
        return [row["day"] for row in rows]

    async def test_each_day_on_which_somebody_is_seen_is_noted_once(self, people: People, sql: Sql) -> None:
        person = await people.new()
        today = await sql.value("SELECT (now() AT TIME ZONE 'UTC')::date")
        assert await self.days(sql, person.id) == [today]
        for _ in range(2):
            await sql.execute(
                "UPDATE users SET last_seen_at = last_seen_at - interval '26 hours' WHERE id = $1", UUID(person.id)
            )
        found = await self.days(sql, person.id)
        assert len(found) == 3
        body = {"refresh_token": person.refresh_token}
        assert (await person.post("/auth/refresh", body)).status_code == 200
        assert await self.days(sql, person.id) == found
        assert found[-1] == today

    async def test_they_are_forgotten_with_the_account(self, people: People, sql: Sql) -> None:
        person = await people.new()
        assert await self.days(sql, person.id) != []
        await sql.execute("UPDATE users SET last_seen_at = NULL WHERE id = $1", UUID(person.id))
        assert len(await self.days(sql, person.id)) == 1, "forgetting when somebody was last seen is not being seen"
