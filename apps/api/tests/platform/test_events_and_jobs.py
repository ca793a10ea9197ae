"""What happens with a write, after it, and when that goes wrong."""

import asyncio
import dataclasses
import time
from uuid import uuid4

import pytest

from memi.platform.events import EventBus, publish
from memi.platform.job_queue import claim_due_schedules, insert_jobs
from memi.platform.job_runner import JobRunner
from memi.platform.jobs import enqueue
from memi.platform.runtime import Runtime
from memi.platform.unit_of_work import UnitOfWork
from support import probe_jobs
from support.probe_jobs import Endless, Noted, Payload, Refused
from support.sql import Sql

DURABLE = "support.probe_jobs.note_later"
WORK = "support.probe_jobs.work"


@pytest.fixture(scope="module", autouse=True)
async def table(sql: Sql) -> None:
    await sql.execute("CREATE TABLE probe_effects (name text); GRANT ALL ON probe_effects TO PUBLIC")


@pytest.fixture
def probe(runtime: Runtime) -> Runtime:
    """The runtime with the probe's handlers, and few attempts."""
    bus = EventBus([probe_jobs])
    return dataclasses.replace(
        runtime,
        bus=bus,
        unit_of_work=UnitOfWork(runtime.database, bus, runtime.broker, runtime.adapters),
        settings=runtime.settings.model_copy(update={"job_attempts": 3}),
    )


@pytest.fixture
def name() -> str:
    return uuid4().hex


async def drain(probe: Runtime, sql: Sql) -> None:
    """Run everything, also what waits for its next attempt, until nothing is left."""
    for _ in range(8):
        await sql.execute("UPDATE pgqueuer SET execute_after = now() WHERE entrypoint LIKE 'support.%'")
        await JobRunner(probe, [probe_jobs]).drain()
        if not await sql.value("SELECT count(*) FROM pgqueuer WHERE entrypoint LIKE 'support.%'"):
            return


async def effects(sql: Sql, name: str) -> int:
    return await sql.value("SELECT count(*) FROM probe_effects WHERE name = $1", name)


async def queued(sql: Sql, entrypoint: str) -> int:
    return await sql.value("SELECT count(*) FROM pgqueuer WHERE entrypoint = $1", entrypoint)


class TestEvents:
    async def test_handlers_share_the_writers_transaction(self, probe: Runtime, sql: Sql, name: str) -> None:
        async with probe.unit_of_work() as session:
            publish(session, Noted(name))
            assert await effects(sql, f"along:{name}") == 0
        assert await effects(sql, f"along:{name}") == 1
        assert await queued(sql, DURABLE) == 1
        await drain(probe, sql)
        assert await effects(sql, f"later:{name}") == 1

    async def test_a_handler_that_refuses_undoes_the_write_and_queues_nothing(
        self, probe: Runtime, sql: Sql, name: str
    ) -> None:
        async def write() -> None:
            async with probe.unit_of_work() as session:
                await probe_jobs.write(session, f"written:{name}")
                publish(session, Noted(name))
                publish(session, Refused(name))

        with pytest.raises(PermissionError):
            await write()
        assert await effects(sql, f"written:{name}") == 0
        assert await effects(sql, f"along:{name}") == 0
        assert await queued(sql, DURABLE) == 0

    async def test_equal_events_are_told_once(self, probe: Runtime, sql: Sql, name: str) -> None:
        async with probe.unit_of_work() as session:
            for _ in range(3):
                publish(session, Noted(name))
        await drain(probe, sql)
        assert (await effects(sql, f"along:{name}"), await effects(sql, f"later:{name}")) == (1, 1)

    async def test_handlers_that_answer_each_other_for_ever_are_stopped(self, probe: Runtime) -> None:
        async def write() -> None:
            async with probe.unit_of_work() as session:
                publish(session, Endless(0))

        with pytest.raises(RuntimeError, match="loops"):
            await write()


class TestRetries:
    async def test_a_failure_is_undone_and_tried_again_later(self, probe: Runtime, sql: Sql, name: str) -> None:
        probe_jobs.failures[name] = 1
        async with probe.unit_of_work() as session:
            publish(session, Noted(name))
        started = time.monotonic()
        await JobRunner(probe, [probe_jobs]).drain()
        assert time.monotonic() - started > 0.9
        assert probe_jobs.failures[name] == 0
        assert await effects(sql, f"later:{name}") == 1

    async def test_one_that_always_fails_is_buried_with_its_reason(self, probe: Runtime, sql: Sql, name: str) -> None:
        probe_jobs.failures[name] = 100
        async with probe.unit_of_work() as session:
            await enqueue(session, probe_jobs.work, Payload(name))
        await drain(probe, sql)
        assert probe_jobs.ran.count(name) == 3
        dead = await sql.rows("SELECT * FROM dead_jobs WHERE convert_from(payload, 'utf8') LIKE $1", f"%{name}%")
        assert [(row["name"], row["attempts"]) for row in dead] == [(WORK, 3)]
        assert dead[0]["error"] == "ConnectionError: told to"
        assert await queued(sql, WORK) == 0
        assert await sql.value("SELECT count(*) FROM job_attempts") == 0

    async def test_what_is_put_off_keeps_its_attempts_however_often(self, probe: Runtime, sql: Sql, name: str) -> None:
        probe_jobs.failures[name] = 2 * probe.settings.job_attempts
        async with probe.unit_of_work() as session:
            await enqueue(session, probe_jobs.put_off, Payload(name))
        await JobRunner(probe, [probe_jobs]).drain()
        assert probe_jobs.ran.count(name) == 1, "draining waits for nothing that is an hour away"
        await drain(probe, sql)
        assert probe_jobs.ran.count(name) == 2 * probe.settings.job_attempts + 1
        assert await sql.value("SELECT count(*) FROM dead_jobs WHERE name LIKE '%put_off'") == 0
        assert await sql.value("SELECT count(*) FROM job_attempts") == 0

    async def test_one_that_killed_every_worker_is_buried_without_another_try(
        self, probe: Runtime, sql: Sql, name: str
    ) -> None:
        async with probe.unit_of_work() as session:
            await enqueue(session, probe_jobs.work, Payload(name))
        job_id = await sql.value("SELECT id FROM pgqueuer WHERE entrypoint = $1", WORK)
        await sql.execute("INSERT INTO job_attempts (job_id, attempts) VALUES ($1, 3)", job_id)
        await drain(probe, sql)
        assert name not in probe_jobs.ran
        assert await sql.value("SELECT count(*) FROM dead_jobs WHERE error LIKE '%worker died%'") == 1

    async def test_a_payload_of_another_shape_is_buried(self, probe: Runtime, sql: Sql) -> None:
        for payload in (b'{"other": 1}', b"\xff", b""):
            async with probe.unit_of_work() as session:
                await insert_jobs(session, [WORK], [payload], [0.0], [None])
        before = await sql.value("SELECT count(*) FROM dead_jobs")
        await drain(probe, sql)
        assert await queued(sql, WORK) == 0
        assert await sql.value("SELECT count(*) FROM dead_jobs") == before + 3


class TestOnce:
    async def test_a_durable_handler_run_twice_takes_effect_once(self, probe: Runtime, sql: Sql, name: str) -> None:
        async with probe.unit_of_work() as session:
            publish(session, Noted(name))
        payload = await sql.value("SELECT payload FROM pgqueuer WHERE entrypoint = $1", DURABLE)
        async with probe.unit_of_work() as session:
            await insert_jobs(session, [DURABLE] * 5, [payload] * 5, [0.0] * 5, [None] * 5)
        await asyncio.gather(*(JobRunner(probe, [probe_jobs]).drain() for _ in range(2)))
        await drain(probe, sql)
        assert await effects(sql, f"later:{name}") == 1

    async def test_a_key_that_waits_is_not_queued_again(self, probe: Runtime, sql: Sql, name: str) -> None:
        for _ in range(3):
            async with probe.unit_of_work() as session:
                await enqueue(session, probe_jobs.work, Payload(name), key=name)
        assert await queued(sql, WORK) == 1
        await drain(probe, sql)
        async with probe.unit_of_work() as session:
            await enqueue(session, probe_jobs.work, Payload(name), key=name)
        await drain(probe, sql)
        assert probe_jobs.ran.count(name) == 2

    async def test_a_recurring_run_is_claimed_by_one_of_many(self, probe: Runtime) -> None:
        async def claim() -> list[str]:
            async with probe.unit_of_work() as session:
                return await claim_due_schedules(session, {"probe.every": 3600.0})

        claims = await asyncio.gather(*(claim() for _ in range(6)))
        assert sorted(claims) == [[], [], [], [], [], ["probe.every"]]

    async def test_two_runners_run_a_recurring_job_once(self, probe: Runtime, sql: Sql) -> None:
        runners = [JobRunner(probe, [probe_jobs]) for _ in range(2)]
        serving = [asyncio.create_task(runner.run()) for runner in runners]
        async with asyncio.timeout(15):
            while not await effects(sql, "tick"):
                await asyncio.sleep(0.1)
        await asyncio.sleep(1.5)
        for runner in runners:
            runner.stop()
        await asyncio.wait_for(asyncio.gather(*serving), 15)
        assert await effects(sql, "tick") == 1
