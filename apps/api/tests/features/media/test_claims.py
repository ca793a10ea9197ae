"""Who uses an upload, and what becomes of those that nobody does."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from memi.media import jobs, service
from memi.platform.errors import FieldError, ValidationFailed
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.people import People, Person
from support.photos import announce, photo, put, upload
from support.sql import Sql
from support.uploads import make_upload

RunJobs = Callable[[], Awaitable[None]]


@pytest.fixture(scope="module")
async def owner(people: People) -> Person:
    return await people.new("Owner")


async def attach(runtime: Runtime, owner: Person, uploads: list[str], claimant: str = "listing:1") -> list[UUID]:
    async with runtime.unit_of_work() as session:
        attached = await service.attach(session, UUID(owner.id), [UUID(item) for item in uploads], claimant)
    return [item.id for item in attached]


async def refusals(runtime: Runtime, owner: Person, uploads: list[str]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationFailed) as caught:
        await attach(runtime, owner, uploads)
    errors: list[FieldError] = caught.value.errors
    return [(error.pointer, error.code) for error in errors]


async def detach(runtime: Runtime, uploads: list[str], claimant: str = "listing:1") -> None:
    async with runtime.unit_of_work() as session:
        await service.detach(session, claimant, [UUID(item) for item in uploads])


async def claimants(runtime: Runtime, upload_id: str) -> list[str]:
    async with runtime.unit_of_work() as session:
        return await service.claimants(session, UUID(upload_id))


async def age(sql: Sql, *uploads: str, hours: float = 25) -> None:
    await sql.execute(
        "UPDATE uploads SET unclaimed_since = unclaimed_since - $2::interval, created_at = created_at - $2, "
        "moved_at = moved_at - $2 WHERE id = ANY($1)",
        [UUID(item) for item in uploads],
        timedelta(hours=hours),
    )


async def exists(sql: Sql, upload_id: str) -> bool:
    return await sql.value("SELECT count(*) FROM uploads WHERE id = $1", UUID(upload_id)) == 1


def files(settings: Settings) -> set[Path]:
    return {path for path in (settings.data_dir / "media").rglob("*") if path.is_file()}


class TestAttach:
    async def test_in_the_order_given_and_more_than_once(self, runtime: Runtime, owner: Person, sql: Sql) -> None:
        one, two = await make_upload(sql, owner.id), await make_upload(sql, owner.id, "PROCESSING")
        assert await attach(runtime, owner, [two, one]) == [UUID(two), UUID(one)]
        await attach(runtime, owner, [one])
        await attach(runtime, owner, [one], "user:7")
        assert await claimants(runtime, one) == ["listing:1", "user:7"]
        assert await claimants(runtime, two) == ["listing:1"]

    async def test_each_wrong_one_is_named_and_none_is_taken(
        self, runtime: Runtime, owner: Person, people: People, sql: Sql
    ) -> None:
        other = await people.new("Other")
        good = await make_upload(sql, owner.id)
        bad = await make_upload(sql, owner.id, "REJECTED")
        waiting = await make_upload(sql, owner.id, "PENDING")
        foreign = await make_upload(sql, other.id)
        assert await refusals(runtime, owner, [good, bad, foreign, str(uuid4()), good, waiting]) == [
            ("/images/1", "upload_rejected"),
            ("/images/2", "unknown_upload"),
            ("/images/3", "unknown_upload"),
            ("/images/4", "repeated"),
            ("/images/5", "upload_not_received"),
        ]
        assert await claimants(runtime, good) == []

    async def test_at_most_eight(self, runtime: Runtime, owner: Person) -> None:
        assert await refusals(runtime, owner, [str(uuid4()) for _ in range(9)]) == [("/images", "too_many")]
        assert await attach(runtime, owner, []) == []


class TestImages:
    async def test_of_a_ready_one(self, runtime: Runtime, owner: Person, settings: Settings, run_jobs: RunJobs) -> None:
        made = await upload(owner, photo(1200, 800))
        unknown = uuid4()
        async with runtime.unit_of_work() as session:
            (waiting,) = (await service.images(session, [UUID(made["id"]), unknown])).values()
        assert (waiting.status, waiting.url, waiting.width, waiting.renditions) == ("UPLOADED", None, None, [])
        await run_jobs()
        async with runtime.unit_of_work() as session:
            (ready,) = (await service.images(session, [UUID(made["id"])])).values()
        assert (ready.status, ready.width, ready.height) == ("READY", 1080, 720)
        assert ready.url is not None
        assert ready.url.startswith(f"{settings.base_url}/media/public/")
        assert (await owner.client.get(urlsplit(ready.url).path)).status_code == 200
        assert [item.width for item in ready.renditions] == [320, 640, 1080]


class TestSweep:
    async def test_what_nobody_claims_goes_with_its_files(
        self, runtime: Runtime, owner: Person, sql: Sql, settings: Settings, run_jobs: RunJobs
    ) -> None:
        await run_jobs()
        before = files(settings)
        ready, pending = await upload(owner, photo(seed=21)), await announce(owner, photo(seed=22))
        await put(owner.client, pending, photo(seed=22))
        await run_jobs()
        assert len(files(settings) - before) == 3  # an original, its rendition, and what was put but never completed
        await age(sql, ready["id"], pending["id"])
        await jobs.sweep_uploads.run(runtime)
        await run_jobs()
        assert not await exists(sql, ready["id"])
        assert not await exists(sql, pending["id"])
        assert files(settings) == before

    async def test_what_is_claimed_or_young_stays(
        self, runtime: Runtime, owner: Person, sql: Sql, settings: Settings, run_jobs: RunJobs
    ) -> None:
        claimed, young, released = [(await upload(owner, photo(seed=seed)))["id"] for seed in (23, 24, 25)]
        await run_jobs()
        await attach(runtime, owner, [claimed, released])
        await age(sql, claimed, released)
        await detach(runtime, [released])
        before = files(settings)
        await jobs.sweep_uploads.run(runtime)
        await run_jobs()
        assert all([await exists(sql, item) for item in (claimed, young, released)])
        assert files(settings) == before
        await age(sql, released)
        await jobs.sweep_uploads.run(runtime)
        assert not await exists(sql, released)

    async def test_one_of_two_claimants_keeps_it(self, runtime: Runtime, owner: Person, sql: Sql) -> None:
        shared = await make_upload(sql, owner.id)
        await attach(runtime, owner, [shared], "listing:1")
        await attach(runtime, owner, [shared], "listing:2")
        await detach(runtime, [shared], "listing:1")
        await age(sql, shared)
        await jobs.sweep_uploads.run(runtime)
        assert await exists(sql, shared)

    async def test_the_last_two_claimants_letting_go_at_once(self, runtime: Runtime, owner: Person, sql: Sql) -> None:
        shared = await make_upload(sql, owner.id)
        for claimant in ("listing:1", "listing:2"):
            await attach(runtime, owner, [shared], claimant)
        await asyncio.gather(*(detach(runtime, [shared], claimant) for claimant in ("listing:1", "listing:2")))
        assert await sql.value("SELECT unclaimed_since IS NOT NULL FROM uploads WHERE id = $1", UUID(shared))

    async def test_a_late_put_does_not_stay(
        self, runtime: Runtime, owner: Person, settings: Settings, run_jobs: RunJobs, sql: Sql
    ) -> None:
        ticket = await announce(owner, photo())
        before = files(settings)
        await put(owner.client, ticket, photo())
        await owner.post(f"/uploads/{ticket['id']}/complete")
        await run_jobs()
        await attach(runtime, owner, [ticket["id"]])
        kept = files(settings) - before
        await put(owner.client, ticket, photo())
        (late,) = files(settings) - before - kept
        await jobs.sweep_uploads.run(runtime)
        assert late.exists()

        os.utime(late, (0, time.time() - 25 * 3600))
        await jobs.sweep_uploads.run(runtime)
        assert files(settings) - before == kept
