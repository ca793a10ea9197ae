"""What is written down: all of it, for so many days, and nothing of who is gone."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from prometheus_client import REGISTRY

from memi.intelligence import queries, service
from memi.intelligence.buffer import VerdictBuffer
from memi.intelligence.calling import Answer
from memi.intelligence.jobs import prune_verdicts
from memi.intelligence.personal_data import PERSONAL_DATA
from memi.intelligence.ports import PRICE_ADVISER, PriceAdvice
from memi.platform.ids import new_id
from memi.platform.runtime import Runtime
from support.people import People
from support.sql import Sql

ADVICE = PriceAdvice(low=1, typical=2, high=3)


def answer(outcome: Any = "OK", plugin: str | None = "a-package") -> Answer[PriceAdvice]:
    return Answer(PRICE_ADVISER.name, plugin, "1.0", outcome, ADVICE if outcome == "OK" else None, 1.5)


async def count(sql: Sql, subject: UUID) -> int:
    return await sql.value("SELECT count(*) FROM intelligence_verdicts WHERE subject_id = $1", subject)


@pytest.mark.parametrize("outcome", ["OK", "TIMEOUT", "ERROR", "SKIPPED"])
async def test_every_outcome_with_what_was_said(runtime: Runtime, sql: Sql, people: People, outcome: str) -> None:
    person, subject = await people.new(), new_id()
    async with runtime.unit_of_work() as session:
        await service.record(session, answer(outcome), "LISTING", subject, user_id=UUID(person.id))
    (row,) = await sql.rows(
        "SELECT outcome, verdict::text AS verdict, took_ms, at <= now() AS past FROM intelligence_verdicts"
        " WHERE subject_id = $1",
        subject,
    )
    assert (row["outcome"], row["took_ms"], row["past"]) == (outcome, 1.5, True)
    said = {"low": 1, "typical": 2, "high": 3, "based_on": 0}
    assert (None if row["verdict"] is None else json.loads(row["verdict"])) == (said if outcome == "OK" else None)
    async with runtime.unit_of_work() as session:
        expected = {subject: ADVICE} if outcome == "OK" else {}
        assert await service.latest(session, PRICE_ADVISER, [subject]) == expected


async def test_goes_with_its_unit_of_work(runtime: Runtime, sql: Sql) -> None:
    subject = new_id()

    async def give_up() -> None:
        async with runtime.unit_of_work() as session:
            await service.record(session, answer(), "LISTING", subject, user_id=None)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await give_up()
    assert await count(sql, subject) == 0


async def test_nothing_is_written_where_nothing_was_asked(runtime: Runtime, sql: Sql) -> None:
    subject = new_id()
    async with runtime.unit_of_work() as session:
        await service.record(session, answer("SKIPPED", None), "LISTING", subject, user_id=None)
    buffer = VerdictBuffer(runtime.unit_of_work)
    service.note(buffer, answer("SKIPPED", None), "LISTING", subject, user_id=new_id())
    assert buffer.waiting == 0
    assert await count(sql, subject) == 0


async def test_of_reads_they_are_written_soon(runtime: Runtime, sql: Sql, people: People) -> None:
    person, subject = await people.new(), new_id()
    buffer = VerdictBuffer(runtime.unit_of_work)
    for _ in range(3):
        service.note(buffer, answer(), "LISTING", subject, user_id=UUID(person.id))
    assert await count(sql, subject) == 0
    async with asyncio.timeout(5):
        while await count(sql, subject) < 3:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0)
    assert buffer.waiting == 0


async def test_those_that_wait_are_written_at_the_end(runtime: Runtime, sql: Sql, people: People) -> None:
    person, subject = await people.new(), new_id()
    buffer = VerdictBuffer(runtime.unit_of_work)
    for _ in range(1201):
        service.note(buffer, answer(), "LISTING", subject, user_id=UUID(person.id))
    await buffer.aclose()
    assert await count(sql, subject) == 1201


async def test_more_than_can_wait_are_counted_and_let_go(runtime: Runtime, sql: Sql, people: People) -> None:
    person, subject = await people.new(), new_id()
    dropped = REGISTRY.get_sample_value("memi_intelligence_verdicts_dropped_total") or 0
    buffer = VerdictBuffer(runtime.unit_of_work)
    for _ in range(2100):
        service.note(buffer, answer(), "LISTING", subject, user_id=UUID(person.id))
    await buffer.aclose()
    assert await count(sql, subject) == 2000
    assert REGISTRY.get_sample_value("memi_intelligence_verdicts_dropped_total") == dropped + 100


async def test_the_database_keeps_verdicts_to_answers(sql: Sql) -> None:
    insert = (
        "INSERT INTO intelligence_verdicts (id, port, plugin, plugin_version, subject_type, subject_id, outcome,"
        " verdict, took_ms) VALUES ($1, 'price_adviser', 'p', '1', $2, $1, $3, $4, 1)"
    )
    await sql.execute(insert, new_id(), "LISTING", "OK", "{}")
    for subject, outcome, verdict in (("LISTING", "ERROR", "{}"), ("PLANET", "OK", "{}"), ("LISTING", "FINE", None)):
        with pytest.raises(asyncpg.CheckViolationError):
            await sql.execute(insert, new_id(), subject, outcome, verdict)


async def test_old_ones_are_forgotten_and_others_stay(runtime: Runtime, sql: Sql) -> None:
    old, young = new_id(), new_id()
    async with runtime.unit_of_work() as session:
        for subject in (old, young):
            await service.record(session, answer(), "LISTING", subject, user_id=None)
    move = "UPDATE intelligence_verdicts SET at = now() - $2::interval WHERE subject_id = $1"
    days = runtime.settings.intelligence_days
    await sql.execute(move, old, timedelta(days=days, minutes=1))
    await sql.execute(move, young, timedelta(days=days) - timedelta(minutes=1))
    await prune_verdicts.run(runtime)
    assert (await count(sql, old), await count(sql, young)) == (0, 1)


async def test_forgetting_goes_by_batches(runtime: Runtime, sql: Sql) -> None:
    subject = new_id()
    async with runtime.unit_of_work() as session:
        for _ in range(3):
            await service.record(session, answer(), "LISTING", subject, user_id=None)
    await sql.execute("UPDATE intelligence_verdicts SET at = now() - interval '1 year' WHERE subject_id = $1", subject)
    async with runtime.unit_of_work() as session:
        assert await queries.prune(session, timedelta(days=90), 2) == 2
        assert await queries.prune(session, timedelta(days=90), 2) == 1


async def test_a_person_gets_what_was_said_of_them_and_it_goes_with_them(
    runtime: Runtime, sql: Sql, people: People
) -> None:
    person, other = await people.new(), await people.new()
    async with runtime.unit_of_work() as session:
        for user in (person, other):
            await service.record(session, answer(), "USER", UUID(user.id), user_id=UUID(user.id))
    (kind,) = PERSONAL_DATA.kinds
    async with runtime.unit_of_work() as session:
        batch = await kind.page(session, UUID(person.id), None)
        assert [(record["port"], record["verdict"]["low"]) for record in batch.records] == [("price_adviser", 1)]
        assert batch.following is None
        assert PERSONAL_DATA.erase is not None
        await PERSONAL_DATA.erase(session, UUID(person.id))
    assert (await count(sql, UUID(person.id)), await count(sql, UUID(other.id))) == (0, 1)


async def test_nothing_is_written_of_whoever_was_erased_meanwhile(runtime: Runtime, sql: Sql, people: People) -> None:
    gone, here, subject = new_id(), await people.new(), new_id()
    buffer = VerdictBuffer(runtime.unit_of_work)
    for user in (gone, UUID(here.id)):
        service.note(buffer, answer(), "LISTING", subject, user_id=user)
    await buffer.aclose()
    assert await count(sql, subject) == 1, "the other one's of the same batch"
