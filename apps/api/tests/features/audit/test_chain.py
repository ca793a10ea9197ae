"""The audit log's chain: whatever is changed past the database's rules shows, and where."""

import asyncio
import os
import sys
import tracemalloc
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from memi.audit import jobs
from memi.audit.chain import Anchor, Head, anchor_of, anchors_in, is_genuine
from memi.audit.chain_queries import GUARDS
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.keyring import KeyRing
from memi.platform.migrations import migrate
from memi.platform.runtime import Runtime
from support.audit_log import ADD, Log, audit_log
from support.audit_writer import START
from support.sql import Sql

RING = KeyRing({"k1": bytes(range(32))})
LINKED = (
    "INSERT INTO audit_log (id, action, target_type, target_id, chain_seq, hash)"
    " VALUES (gen_random_uuid(), 'a', 'b', 'c', 9, decode(repeat('00', 32), 'hex'))"
)
OTHER_VALUES = {
    "id": f"'{uuid4()}'",
    "at": "at + interval '1 microsecond'",
    "action": "'thing.undone'",
    "target_type": "'OTHER'",
    "target_id": "'somebody'",
    "reason": "NULL",
    "before": """'{"status": "A", "price": 1.5}'""",
    "after": "NULL",
    "actor_id": f"'{uuid4()}'",
    "impersonator_id": f"'{uuid4()}'",
    "hash": r"'\x" + "00" * 32 + "'",
    "chain_seq": "99",
}


@pytest.fixture
async def log(server: EmbeddedUrls, template: str) -> AsyncIterator[Log]:
    async with audit_log(server, template) as opened:
        yield opened


class TestWhole:
    async def test_an_empty_log_is_whole(self, log: Log) -> None:
        assert await log.head() == Head(0, bytes(32))

    async def test_entries_follow_from_each_other(self, log: Log) -> None:
        ids = await log.add(7)
        rows = await log.app.rows("SELECT id, chain_seq, hash FROM audit_log ORDER BY chain_seq")
        assert [(row["id"], row["chain_seq"]) for row in rows] == list(zip(ids, range(1, 8), strict=True))
        assert len({row["hash"] for row in rows}) == 7
        checked = await log.check()
        assert checked.head == Head(7, rows[-1]["hash"])
        assert list(checked.sleeping) == []

    async def test_what_was_undone_leaves_no_gap(self, log: Log) -> None:
        await log.add(1)
        transaction = log.app.connection.transaction()
        await transaction.start()
        await log.add(2)
        await transaction.rollback()
        async with log.app.connection.transaction():
            await log.add(1)
            inner = log.app.connection.transaction()
            await inner.start()
            await log.add(1)
            await inner.rollback()
            await log.add(1)
        assert (await log.head()).seq == 3

    async def test_what_was_there_before_the_chain_is_chained(self, server: EmbeddedUrls, log: Log) -> None:
        name = f"old_{uuid4().hex[:12]}"
        url = server.migrator.rsplit("/", 1)[0] + f"/{name}"
        async with Sql.connect(server.migrator) as owner:
            await owner.execute(f"CREATE DATABASE {name}")
        try:
            await asyncio.to_thread(migrate, url, server.app, "0020_usage")
            async with Sql.connect(url) as old:
                for number in (3, 1, 2):
                    await old.execute(
                        "INSERT INTO audit_log (id, at, action, target_type, target_id)"
                        " VALUES ($1, now() + make_interval(secs => $2), 'thing.done', 'THING', $3)",
                        uuid4(),
                        float(number),
                        f"old-{number}",
                    )
            await asyncio.to_thread(migrate, url, server.app)
            async with Sql.connect(url) as new:
                await new.execute(ADD, uuid4(), "new")
                names = await new.rows("SELECT target_id FROM audit_log ORDER BY chain_seq")
                assert [row["target_id"] for row in names] == ["old-1", "old-2", "old-3", "new"]
                moved = Log(EmbeddedUrls(url, url, url), new, new)
                assert (await moved.head()).seq == 4
        finally:
            await log.superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")


class TestTampering:
    async def test_every_column_counts(self, log: Log) -> None:
        columns = await log.app.rows(
            "SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'audit_log'"
        )
        assert {row["name"] for row in columns} == set(OTHER_VALUES)

    @pytest.mark.parametrize("column", [name for name in OTHER_VALUES if name != "chain_seq"])
    async def test_a_changed_value_is_found(self, log: Log, column: str) -> None:
        await log.add(5)
        foreign = f"INSERT INTO users (id, email, name) VALUES ({OTHER_VALUES[column]}, 'a@b.example', 'A')"
        setup = [foreign] if column.endswith("r_id") else []
        await log.tamper(*setup, f"UPDATE audit_log SET {column} = {OTHER_VALUES[column]} WHERE chain_seq = 3")
        assert (await log.broken_by()).startswith("entry 3 (")

    async def test_a_deleted_entry_is_found(self, log: Log) -> None:
        await log.add(5)
        await log.tamper("DELETE FROM audit_log WHERE chain_seq = 3")
        assert (await log.broken_by()).startswith("entry 3 is missing")

    async def test_a_deleted_end_is_found(self, log: Log) -> None:
        await log.add(5)
        await log.tamper("DELETE FROM audit_log WHERE chain_seq > 3")
        assert await log.broken_by() == "entries 4 to 5 are missing from the end"

    async def test_an_emptied_log_is_found(self, log: Log) -> None:
        await log.add(2)
        await log.tamper("TRUNCATE audit_log")
        assert await log.broken_by() == "entries 1 to 2 are missing from the end"

    async def test_an_entry_that_was_put_in_is_found(self, log: Log) -> None:
        await log.add(3)
        put_in = (
            "INSERT INTO audit_log (id, action, target_type, target_id, chain_seq, hash) SELECT"
            " gen_random_uuid(), action, target_type, target_id, {seq}, {hash} FROM audit_log WHERE chain_seq = 2"
        )
        await log.tamper(put_in.format(seq="NULL", hash="NULL"))
        assert "not in its chain" in await log.broken_by()
        await log.tamper("DELETE FROM audit_log WHERE chain_seq IS NULL")
        await log.tamper(put_in.format(seq="4", hash="hash"))
        assert (await log.broken_by()).startswith("entry 4 (")
        await log.forge(4, head=False)
        assert await log.broken_by() == "entry 4 is the last one, but audit_head says 3, or another hash"

    async def test_swapped_entries_are_found(self, log: Log) -> None:
        await log.add(5)
        swap = "UPDATE audit_log SET chain_seq = {new} WHERE chain_seq = {old}"
        await log.tamper(*(swap.format(old=old, new=new) for old, new in ((2, 99), (4, 2), (99, 4))))
        assert (await log.broken_by()).startswith("entry 2 (")

    async def test_a_hash_that_was_made_to_fit_breaks_the_next(self, log: Log) -> None:
        await log.add(5)
        await log.tamper("UPDATE audit_log SET reason = 'other' WHERE chain_seq = 3")
        await log.tamper(
            "UPDATE audit_log a SET hash = sha256("
            " (SELECT hash FROM audit_log WHERE chain_seq = 2) || audit_log_words(3, a)) WHERE chain_seq = 3"
        )
        assert (await log.broken_by()).startswith("entry 4 (")

    async def test_a_missing_head_is_found_and_stops_what_would_go_unseen(self, log: Log) -> None:
        await log.add(2)
        await log.tamper("DELETE FROM audit_head")
        assert "audit_head is empty" in await log.broken_by()
        with pytest.raises(asyncpg.NoDataFoundError):
            await log.add(1)

    async def test_guards_that_were_taken_away_are_named(self, log: Log) -> None:
        await log.superuser.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_log_only_linked")
        await log.superuser.execute("ALTER TABLE audit_log ENABLE TRIGGER audit_log_append_only")
        await log.superuser.execute("DROP TRIGGER audit_head_follows ON audit_head")
        sleeping = set((await log.check()).sleeping)
        assert sleeping == {
            "audit_log.audit_log_only_linked",
            "audit_log.audit_log_append_only",
            "audit_head.audit_head_follows",
        }


class TestAnchors:
    async def test_history_that_was_written_anew_is_found_only_by_an_anchor(self, log: Log) -> None:
        await log.add(5)
        anchor = anchor_of(await log.head(), RING)
        await log.add(2)
        assert (await log.check(anchor)).head.seq == 7
        await log.tamper("UPDATE audit_log SET reason = 'other' WHERE chain_seq = 3")
        await log.forge(3)
        assert (await log.head()).seq == 7
        assert (await log.broken_by(anchor)).startswith("entry 5 or one before it was changed")

    async def test_an_end_that_was_cut_off_with_the_head_is_found_only_by_an_anchor(self, log: Log) -> None:
        await log.add(5)
        anchor = anchor_of(await log.head(), RING)
        await log.tamper("DELETE FROM audit_log WHERE chain_seq > 3")
        await log.forge(1)
        assert (await log.head()).seq == 3
        assert await log.broken_by(anchor) == "entries 4 to 5 are missing from the end, as an anchor shows"

    async def test_they_are_found_in_any_text_and_told_from_forgeries(self) -> None:
        ring = KeyRing({"2026: new key": bytes(32), "old": bytes(range(32))})
        earlier = KeyRing({"old": bytes(range(32))})
        anchor, old = anchor_of(Head(7, bytes(32)), ring), anchor_of(Head(3, bytes(32)), earlier)
        text = [f'{{"event": "audit_anchor", "anchor": "{anchor}"}}\n', "noise\n", f"{old} {anchor}"]
        assert anchors_in(text) == [old, anchor]
        assert [is_genuine(found, ring) for found in (old, anchor)] == [True, True]
        assert is_genuine(anchor, earlier) is None
        for forged in (
            Anchor(8, anchor.hash, anchor.kid, anchor.mac),
            Anchor(7, bytes(31) + b"1", anchor.kid, anchor.mac),
            Anchor(7, anchor.hash, "old", anchor.mac),
        ):
            assert is_genuine(forged, ring) is False

    async def test_the_head_is_logged_hour_by_hour(self, runtime: Runtime, sql: Sql) -> None:
        await sql.execute(ADD, uuid4(), "logged")
        with capture_logs() as logged:
            await jobs.write_anchor.run(runtime)
        (anchor,) = anchors_in([str(logged)])
        assert is_genuine(anchor, runtime.key_ring)
        row = (await sql.rows("SELECT seq, hash FROM audit_head"))[0]
        assert (anchor.seq, anchor.hash) == (row["seq"], row["hash"])


class TestGuards:
    @pytest.mark.parametrize("role", ["app", "migrator", "superuser"])
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE audit_head SET seq = 0",
            "DELETE FROM audit_head",
            "TRUNCATE audit_head",
            "INSERT INTO audit_head (one, seq, hash) VALUES (false, 1, decode(repeat('00', 32), 'hex'))",
            "UPDATE audit_log SET hash = NULL, chain_seq = NULL",
            "UPDATE audit_log SET hash = hash WHERE false",
            LINKED,
        ],
    )
    async def test_nobody_writes_links_or_the_head(self, log: Log, role: str, statement: str) -> None:
        await log.add(2)
        async with Sql.connect(getattr(log.urls, role)) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
            if role == "superuser":
                await connection.execute("SET session_replication_role = replica")
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
        assert (await log.head()).seq == 2

    async def test_the_service_cannot_borrow_the_function_that_links(self, log: Log) -> None:
        """It runs as the owner: on a table of the service's own it would link what the service likes."""
        await log.add(1)
        await log.app.execute("CREATE TEMP TABLE audit_log (LIKE public.audit_log)")
        await log.app.execute(
            "CREATE TRIGGER t AFTER INSERT ON pg_temp.audit_log FOR EACH ROW EXECUTE FUNCTION audit_log_link()"
        )
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await log.app.execute("INSERT INTO pg_temp.audit_log SELECT * FROM public.audit_log")
        assert (await log.head()).seq == 1

    async def test_the_service_may_only_read_the_head(self, log: Log) -> None:
        rights = "SELECT has_table_privilege(current_user, 'audit_head', $1)"
        found = {
            right: await log.app.value(rights, right) for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
        }
        assert found == {"SELECT": True, "INSERT": False, "UPDATE": False, "DELETE": False, "TRUNCATE": False}

    async def test_each_guard_is_there(self, log: Log) -> None:
        rows = await log.app.rows(
            "SELECT tgrelid::regclass::text AS t, tgname AS n FROM pg_trigger WHERE tgenabled = 'A'"
        )
        assert {(row["t"], row["n"]) for row in rows} >= set(GUARDS)


class TestRaces:
    async def test_processes_that_race_make_one_chain(self, log: Log) -> None:
        tests = str(Path(__file__).parents[2])
        await log.superuser.execute(f"SELECT pg_advisory_lock({START})")
        racers = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "support.audit_writer", log.urls.app, name, "120"),
                cwd=tests,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([tests, *sys.path])},
            )
            for name in ("one", "two", "three")
        ]
        ready = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        async with asyncio.timeout(60):
            while await log.superuser.value(ready) < len(racers):
                await asyncio.sleep(0.05)
        await log.superuser.execute(f"SELECT pg_advisory_unlock({START})")
        assert [await racer.wait() for racer in racers] == [0, 0, 0]
        lasting = sum(1 + number % 3 for number in range(120) if number % 5 != 4)
        assert (await log.head()).seq == 3 * lasting
        turns = await log.app.rows("SELECT split_part(target_id, '-', 1) AS name FROM audit_log ORDER BY chain_seq")
        names = [row["name"] for row in turns]
        changes = sum(1 for before, after in pairwise(names) if before != after)
        assert changes > 20, "they hardly met"

    async def test_waiting_for_the_head_closes_no_circle(self, log: Log) -> None:
        """Whoever audits first and locks later, against whoever does it the other way round."""
        user = uuid4()
        await log.app.execute("INSERT INTO users (id, email, name) VALUES ($1, 'a@b.example', 'A')", user)
        touch = "UPDATE users SET name = name WHERE id = $1"
        async with Sql.connect(log.urls.app) as first, Sql.connect(log.urls.app) as second:
            one, two = first.connection.transaction(), second.connection.transaction()
            await one.start()
            await two.start()
            async with asyncio.timeout(20):
                await first.execute(ADD, uuid4(), "first")
                await second.execute(touch, user)
                await second.execute(ADD, uuid4(), "second")
                waiting = asyncio.create_task(first.execute(touch, user))
                while not await log.superuser.value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                    await asyncio.sleep(0.01)
                await two.commit()
                await waiting
                await one.commit()
        rows = await log.app.rows("SELECT target_id FROM audit_log ORDER BY chain_seq")
        assert [row["target_id"] for row in rows] == ["second", "first"], "in the order of commits"
        assert (await log.head()).seq == 2


async def test_the_check_needs_no_more_memory_for_a_longer_log(log: Log) -> None:
    grow = (
        "INSERT INTO audit_log (id, action, target_type, target_id, before)"
        " SELECT gen_random_uuid(), 'a.b', 'T', 't', jsonb_build_object('long', repeat(md5(n::text), 60))"
        " FROM generate_series(1, 500) AS n"
    )
    for _ in range(16):
        await log.app.execute(grow)
    heard: list[tuple[int, int]] = []
    tracemalloc.start()
    try:
        checked = await log.check(on_progress=lambda done, total: heard.append((done, total)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert checked.head.seq == 8000
    assert heard[0] == (500, 8000)
    assert heard[-1] == (8000, 8000)
    assert peak < 6_000_000, "15 MB of entries went by"
