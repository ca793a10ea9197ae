"""Counting again and again, late, twice at once, and after a worker was killed in the middle of it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from memi.analytics import counting, jobs
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.runtime import Runtime
from support.history import History, midnight, write_history
from support.items import make_listing
from support.people import People
from support.recount import Recount
from support.service import environment, free_port, memi
from support.sql import Sql

COUNTED = {
    "analytics_days": "day",
    "analytics_categories": "span, day, category",
    "analytics_searches": "span, day, words",
    "analytics_cohorts": "span, day, category",
    "analytics_periods": "kind, start",
    "analytics_retention": "cohort, week",
}
DAYS = 40


async def counted(sql: Sql) -> dict[str, list[dict[str, Any]]]:
    """All that was counted, but not when."""
    found = {name: await sql.rows(f"SELECT * FROM {name} ORDER BY {order}") for name, order in COUNTED.items()}
    return {
        name: [{key: value for key, value in row.items() if not key.endswith("made_at")} for row in rows]
        for name, rows in found.items()
    }


async def forget(sql: Sql) -> None:
    for name in (*COUNTED, "analytics_marks"):
        await sql.execute(f"DELETE FROM {name}")


@pytest.fixture(scope="module")
async def history(database_urls: EmbeddedUrls) -> AsyncIterator[History]:
    async with Sql.connect(database_urls.superuser) as sql:
        yield await write_history(sql, 11, days=DAYS, people=15, listings=60)


@pytest.fixture(scope="module")
async def truth(history: History, runtime: Runtime, sql: Sql) -> dict[str, list[dict[str, Any]]]:
    """What all of it comes to, counted from nothing by one who is not disturbed."""
    await forget(sql)
    await counting.refresh(runtime, patience=timedelta(0))
    return await counted(sql)


class TestFromNothing:
    async def test_every_day_since_the_first_fact_is_counted(
        self, truth: dict[str, list[dict[str, Any]]], history: History
    ) -> None:
        days = [row["day"] for row in truth["analytics_days"]]
        assert days == [days[0] + timedelta(days=number) for number in range(len(days))]
        assert history.first <= days[0] <= history.first + timedelta(days=3)
        assert days[-1] == history.today
        assert all(truth.values())


class TestAgain:
    async def test_changes_nothing_and_touches_no_day_that_is_settled(
        self, truth: dict[str, list[dict[str, Any]]], runtime: Runtime, sql: Sql, history: History
    ) -> None:
        before = await sql.rows("SELECT day, made_at, cohort_made_at FROM analytics_days ORDER BY day")
        await counting.refresh(runtime)
        after = await sql.rows("SELECT day, made_at, cohort_made_at FROM analytics_days ORDER BY day")
        changed = [new["day"] for old, new in zip(before, after, strict=True) if old != new]
        assert set(changed) <= {history.today, history.today - timedelta(days=1)}
        assert history.today in changed
        assert await counted(sql) == truth

    async def test_a_day_that_was_counted_before_its_end_is_counted_once_more(
        self, truth: dict[str, list[dict[str, Any]]], runtime: Runtime, sql: Sql, history: History
    ) -> None:
        day = history.today - timedelta(days=9)
        await sql.execute(
            "UPDATE analytics_days SET new_users = 99, made_at = $2 WHERE day = $1",
            day,
            midnight(day + timedelta(days=1)),
        )
        await counting.refresh(runtime)
        assert await counted(sql) == truth

    async def test_what_was_counted_wrong_is_put_right_by_a_rebuild(
        self, truth: dict[str, list[dict[str, Any]]], runtime: Runtime, sql: Sql, history: History
    ) -> None:
        for name in COUNTED:
            column = {"analytics_days": "new_users", "analytics_periods": "active_users"}.get(name)
            if column:
                await sql.execute(f"UPDATE {name} SET {column} = {column} + 7")
            else:
                await sql.execute(f"DELETE FROM {name}")
        assert await counted(sql) != truth
        told: list[tuple[int, int]] = []
        await counting.rebuild(runtime, history.first, history.today, lambda done, of: told.append((done, of)))
        assert told == [(number, DAYS) for number in range(1, DAYS + 1)]
        assert await counted(sql) == truth

    async def test_the_job_counts_and_forgets_who_was_here_long_ago(
        self, truth: object, runtime: Runtime, sql: Sql, history: History
    ) -> None:
        long_ago = history.today - timedelta(days=runtime.settings.usage_days)
        person = history.users[0][0]
        for day in (long_ago, long_ago + timedelta(days=1)):
            await sql.execute("INSERT INTO user_days (day, user_id) VALUES ($1, $2)", day, person)
        await jobs.prune_user_days.run(runtime)
        kept = await sql.rows("SELECT day FROM user_days WHERE day <= $1", long_ago + timedelta(days=1))
        assert [row["day"] for row in kept] == [long_ago + timedelta(days=1)]
        await sql.execute("DELETE FROM user_days WHERE day = $1", long_ago + timedelta(days=1))
        made_at = await sql.value("SELECT max(made_at) FROM analytics_days")
        await jobs.refresh_analytics.run(runtime)
        assert await sql.value("SELECT max(made_at) FROM analytics_days") > made_at


class TestAtOnce:
    async def test_two_who_count_do_not_clash(
        self, truth: dict[str, list[dict[str, Any]]], runtime: Runtime, sql: Sql, history: History
    ) -> None:
        await forget(sql)
        await asyncio.gather(
            counting.refresh(runtime, patience=timedelta(0)),
            counting.refresh(runtime, patience=timedelta(0)),
            counting.rebuild(runtime, history.first, history.today, lambda _done, _of: None),
        )
        assert await counted(sql) == truth
        assert await sql.value("SELECT count(*) FROM analytics_marks") == 0

    async def test_what_is_written_while_a_day_is_counted_is_not_missed(
        self, truth: object, runtime: Runtime, sql: Sql, history: History, database_urls: EmbeddedUrls
    ) -> None:
        """A writer that commits after the counting has begun leaves a mark that outlives it."""
        day = history.today - timedelta(days=5)
        before = await sql.value("SELECT new_users FROM analytics_days WHERE day = $1", day)
        async with Sql.connect(database_urls.migrator) as writer:
            for number in range(5):
                transaction = writer.connection.transaction()
                await transaction.start()
                await writer.execute(
                    "INSERT INTO users (id, email, name, created_at) VALUES ($1, $2, 'Late', $3)",
                    uuid4(),
                    f"late-{uuid4().hex}@example.com",
                    midnight(day),
                )
                await counting.rebuild(runtime, day, day, lambda _done, _of: None)
                assert await sql.value("SELECT new_users FROM analytics_days WHERE day = $1", day) == before + number
                await transaction.commit()
                await counting.refresh(runtime)
                found = await sql.value("SELECT new_users FROM analytics_days WHERE day = $1", day)
                assert found == before + number + 1


class TestLate:
    async def test_a_sale_counts_for_the_days_before_on_which_its_listing_was_first_shown(
        self, truth: object, people: People, runtime: Runtime, sql: Sql, history: History
    ) -> None:
        seller = await people.new()
        listing = await make_listing(seller, sql)
        other = await make_listing(seller, sql, publish=False)
        shown = history.today - timedelta(days=12)
        for hour, (before, after) in enumerate((("DRAFT", "ACTIVE"), ("ACTIVE", "DRAFT"))):
            await sql.execute(
                "INSERT INTO status_moves (at, subject, subject_id, listing_id, before, after) "
                "VALUES ($1, 'LISTING', $2, $2, $3, $4)",
                midnight(shown) + timedelta(hours=hour),
                UUID(other["id"]),
                before,
                after,
            )
        await counting.refresh(runtime)
        query = "SELECT cohort_listed, cohort_sold FROM analytics_days WHERE day = $1"
        first = (await sql.rows(query, shown))[0]
        reply = await seller.post(f"/listings/{listing['id']}/sold")
        assert reply.status_code == 200, reply.text
        await sql.execute(
            "INSERT INTO status_moves (subject, subject_id, listing_id, before, after) "
            "VALUES ('LISTING', $1, $1, 'ACTIVE', 'SOLD')",
            UUID(other["id"]),
        )
        await counting.refresh(runtime)
        assert (await sql.rows(query, shown))[0] == first, "today goes on changing: once an hour is enough"
        await counting.refresh(runtime, patience=timedelta(0))
        assert (await sql.rows(query, shown))[0] == {**first, "cohort_sold": first["cohort_sold"] + 1}
        recount = await Recount.read(sql)
        steps = recount.funnel(shown, shown)
        assert (steps["listed"], steps["sold"]) == (first["cohort_listed"], first["cohort_sold"] + 1)

    async def test_days_whose_rows_are_no_longer_kept_keep_what_was_counted_of_them(
        self, truth: object, runtime: Runtime, sql: Sql, history: History
    ) -> None:
        day = history.today - timedelta(days=runtime.settings.usage_days)
        await sql.execute(
            "INSERT INTO analytics_days (day, made_at, active_users, views, waits) VALUES ($1, now(), 12, 34, '{}')",
            day,
        )
        await sql.execute(
            "INSERT INTO analytics_categories (span, day, category, views) VALUES ('DAY', $1, 'kids-shoes', 34)", day
        )
        await sql.execute("INSERT INTO analytics_marks (day) VALUES ($1)", day)
        await sql.execute(
            "INSERT INTO users (id, email, name, created_at) VALUES ($1, $2, 'Old', $3)",
            uuid4(),
            f"old-{uuid4().hex}@example.com",
            midnight(day),
        )
        await counting.refresh(runtime)
        row = (await sql.rows("SELECT new_users, active_users, views FROM analytics_days WHERE day = $1", day))[0]
        assert row == {"new_users": 1, "active_users": 12, "views": 34}
        assert await sql.value("SELECT sum(views) FROM analytics_categories WHERE span = 'DAY' AND day = $1", day) == 34
        assert await sql.value("SELECT count(*) FROM analytics_marks WHERE day = $1", day) == 0


class TestTheCommand:
    @pytest.fixture
    def env(self, tmp_path: Path, database_urls: EmbeddedUrls) -> dict[str, str]:
        urls = {"MEMI_DATABASE_URL": database_urls.app, "MEMI_MIGRATOR_DATABASE_URL": database_urls.migrator}
        return environment(tmp_path, free_port(), **urls)

    async def test_counts_the_days_asked_for(
        self, runtime: Runtime, sql: Sql, history: History, env: dict[str, str], tmp_path: Path
    ) -> None:
        await counting.refresh(runtime, patience=timedelta(0))
        good = await counted(sql)
        await sql.execute("UPDATE analytics_days SET new_users = 77")
        first, last = history.today - timedelta(days=6), history.today - timedelta(days=2)
        options = ("analytics", "rebuild", "--from", first.isoformat(), "--to", last.isoformat())
        done = await asyncio.to_thread(memi, *options, env=env, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, f"The days from {first} to {last} are counted.\n"), done.stderr
        rows = await sql.rows("SELECT day FROM analytics_days WHERE new_users <> 77 AND day <> $1", history.today)
        assert {row["day"] for row in rows} == {first + timedelta(days=number) for number in range(5)}
        await counting.rebuild(runtime, good["analytics_days"][0]["day"], history.today, lambda _done, _of: None)
        assert await counted(sql) == good

    @pytest.mark.parametrize(
        "days", [("2026-01-02", "2026-01-01"), ("2026-01-01", "9999-01-01"), ("2026-13-01", "2026-13-02")]
    )
    async def test_refuses_what_makes_no_sense(
        self, sql: Sql, env: dict[str, str], tmp_path: Path, days: tuple[str, str]
    ) -> None:
        before = await counted(sql)
        options = ("analytics", "rebuild", "--from", days[0], "--to", days[1])
        done = await asyncio.to_thread(memi, *options, env=env, cwd=tmp_path)
        assert done.returncode == 2, done.stdout
        assert "Traceback" not in done.stderr
        assert await counted(sql) == before
        assert await sql.value("SELECT count(*) FROM analytics_marks") == 0

    async def test_killed_in_the_middle_leaves_whole_days_and_what_is_left_to_a_worker(
        self, runtime: Runtime, sql: Sql, history: History, env: dict[str, str], tmp_path: Path
    ) -> None:
        await counting.refresh(runtime, patience=timedelta(0))
        good = await counted(sql)
        await sql.execute("UPDATE analytics_days SET new_users = 1000 + new_users")
        await sql.execute("DELETE FROM analytics_categories WHERE span = 'DAY' AND day >= $1", history.first)
        first: date = good["analytics_days"][0]["day"]
        process = subprocess.Popen(
            [sys.executable, "-m", "memi.cli.main", "analytics", "rebuild", "--from", first.isoformat()],
            env=env,
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        async with asyncio.timeout(60):
            while await sql.value("SELECT count(*) FROM analytics_days WHERE new_users < 1000") < 3:
                assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        assert await asyncio.to_thread(process.wait, 20) == -signal.SIGKILL
        days = {row["day"]: row for row in good["analytics_days"]}
        done = {row["day"] for row in await sql.rows("SELECT day FROM analytics_days WHERE new_users < 1000")}
        assert 3 <= len(done) < len(days), "it was killed in the middle"
        marked = {row["day"] for row in await sql.rows("SELECT DISTINCT day FROM analytics_marks")}
        assert marked == set(days) - done
        rows = await sql.rows(
            "SELECT DISTINCT day FROM analytics_categories WHERE span = 'DAY' AND day >= $1", history.first
        )
        told = {
            row["day"] for row in good["analytics_categories"] if row["span"] == "DAY" and row["day"] >= history.first
        }
        assert {row["day"] for row in rows} == told & done
        await jobs.refresh_analytics.run(runtime)
        await counting.refresh(runtime, patience=timedelta(0))
        assert await counted(sql) == good
