"""A marketplace that was there before its days were counted: what its rows tell of their past is taken over."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.migrations import migrate
from support.sql import Sql
from support.upgrades import database_at

BEFORE = "0023_admin"
DAY = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
async def database(server: EmbeddedUrls) -> AsyncIterator[tuple[str, str]]:
    """The owner's and the superuser's URL of a database as it was before."""
    async with database_at(server, BEFORE) as urls:
        yield urls


async def test_moves_are_told_from_the_times_that_rows_have(database: tuple[str, str], server: EmbeddedUrls) -> None:
    owner_url, superuser_url = database
    seller, buyer = uuid4(), uuid4()
    listings = {status: uuid4() for status in ("DRAFT", "ACTIVE", "RESERVED", "SOLD", "DELETED")}
    reservation, order = uuid4(), uuid4()

    def day(number: int) -> datetime:
        return DAY + timedelta(days=number)

    async with Sql.connect(superuser_url) as sql:
        # What these rows refer to does not matter here, and is not there.
        await sql.execute("SET session_replication_role = replica")
        for user_id in (seller, buyer):
            await sql.execute(
                "INSERT INTO users (id, email, name, created_at, last_seen_at) VALUES ($1, $2, 'Someone', $3, $4)",
                user_id,
                f"{user_id.hex}@example.com",
                day(0),
                day(8),
            )
        for status, listing_id in listings.items():
            await sql.execute(
                "INSERT INTO listings (id, seller_id, title, price_amount, currency, condition, category_id, status, "
                "previous_status, created_at, published_at, sold_at, deleted_at) "
                "VALUES ($1, $2, 'Coat', 1000, 'AZN', 'GOOD', $3, $4, $5, $6, $7, $8, $9)",
                listing_id,
                seller,
                uuid4(),
                status,
                "ACTIVE" if status == "DELETED" else None,
                day(1),
                None if status == "DRAFT" else day(2),
                day(5) if status == "SOLD" else None,
                day(6) if status == "DELETED" else None,
            )
        await sql.execute(
            "INSERT INTO listing_holds (listing_id, kind, created_at) VALUES ($1, 'MANUAL', $2)",
            listings["RESERVED"],
            day(4),
        )
        await sql.execute(
            "INSERT INTO reservations (id, listing_id, buyer_id, seller_id, chat_id, status, expires_at, created_at, "
            "updated_at, accepted_at) VALUES ($1, $2, $3, $4, $5, 'COMPLETED', $8, $6, $8, $7)",
            reservation,
            listings["SOLD"],
            buyer,
            seller,
            uuid4(),
            day(3),
            day(4),
            day(5),
        )
        await sql.execute(
            "INSERT INTO orders (id, listing_id, buyer_id, seller_id, chat_id, status, delivery, title, price_amount, "
            "currency, created_at, updated_at, paid_at) "
            "VALUES ($1, $2, $3, $4, $5, 'REFUNDED', 'MEETUP', 'Coat', 1000, 'AZN', $6, $8, $7)",
            order,
            listings["SOLD"],
            buyer,
            seller,
            uuid4(),
            day(3),
            day(4),
            day(7),
        )
    await asyncio.to_thread(migrate, owner_url, server.app)
    async with Sql.connect(owner_url) as sql:
        rows = await sql.rows("SELECT * FROM status_moves ORDER BY id")
        for subject in ("LISTING", "RESERVATION", "ORDER"):
            times = [row["at"] for row in rows if row["subject"] == subject]
            assert times == sorted(times), "in the order of time, by which the index finds them"
            assert times

        def told(subject_id: UUID) -> list[tuple[int, Any, Any]]:
            return [
                ((row["at"] - DAY).days, row["before"], row["after"]) for row in rows if row["subject_id"] == subject_id
            ]

        made, shown = (1, None, "DRAFT"), (2, "DRAFT", "ACTIVE")
        assert told(listings["DRAFT"]) == [made]
        assert told(listings["ACTIVE"]) == [made, shown]
        assert told(listings["RESERVED"]) == [made, shown, (4, "ACTIVE", "RESERVED")]
        assert told(listings["SOLD"]) == [made, shown, (5, "ACTIVE", "SOLD")]
        assert told(listings["DELETED"]) == [made, shown, (6, "ACTIVE", "DELETED")]
        assert told(reservation) == [
            (3, None, "REQUESTED"),
            (4, "REQUESTED", "ACCEPTED"),
            (5, "ACCEPTED", "COMPLETED"),
        ]
        assert told(order) == [(3, None, "PENDING"), (4, "PENDING", "PAID"), (7, "PAID", "REFUNDED")]
        here = await sql.rows("SELECT day, user_id FROM user_days")
        assert {(row["day"], row["user_id"]) for row in here} == {(day(8).date(), person) for person in (seller, buyer)}
        assert await sql.value("SELECT count(*) FROM analytics_marks") == 0, "all of it is new to who counts"
