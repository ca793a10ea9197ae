"""Processing as a job: once, again, in the middle of it, and when it never works."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest

from memi.media import jobs, processing
from memi.media.events import UploadReady, UploadRejected
from memi.media.jobs import ProcessUpload, process_upload
from memi.media.processing_pool import ImagePool, ImageWorkerCrashed
from memi.media.store import ObjectStore, store_of
from memi.platform.events import Subscription
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.people import People, Person
from support.photos import photo, upload
from support.sql import Sql

RunJobs = Callable[[], Awaitable[None]]


@pytest.fixture(scope="module")
async def owner(people: People) -> Person:
    return await people.new("Owner")


@pytest.fixture
def told(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the features above are told."""
    heard: list[object] = []

    async def hear(event: object, _session: object) -> None:
        heard.append(event)

    by_type: dict[type, list[Subscription]] = {
        kind: [Subscription("test", kind, "in_transaction", hear)] for kind in (UploadReady, UploadRejected)
    }
    monkeypatch.setattr(runtime.bus, "_by_type", by_type)
    return heard


@pytest.fixture
async def frail(runtime: Runtime) -> AsyncIterator[ImagePool]:
    """A pool whose children have too little memory to start: each picture ends as a crash."""
    usual = runtime.adapters.get(ImagePool)
    pool = ImagePool(memory_bytes=16 * 1024 * 1024)
    runtime.adapters.set(ImagePool, pool)
    yield pool
    runtime.adapters.set(ImagePool, usual)
    await pool.aclose()


def public(settings: Settings) -> set[Path]:
    return {path for path in (settings.data_dir / "media" / "public").rglob("*") if path.is_file()}


async def row(sql: Sql, upload_id: str) -> dict[str, Any]:
    return (await sql.rows("SELECT * FROM uploads WHERE id = $1", UUID(upload_id)))[0]


async def process(runtime: Runtime, upload_id: str) -> None:
    await process_upload.run(ProcessUpload(UUID(upload_id)), runtime)


async def test_ready_and_told_once(
    owner: Person, runtime: Runtime, settings: Settings, told: list[object], sql: Sql
) -> None:
    made = await upload(owner, photo(700, 500))
    before = public(settings)
    await process(runtime, made["id"])
    shown = await row(sql, made["id"])
    assert (shown["status"], shown["pending_keys"], shown["attempts"]) == ("READY", [], 1)
    assert shown["phash"] is not None
    assert len(public(settings) - before) == 2
    await process(runtime, made["id"])
    assert await row(sql, made["id"]) == shown
    assert told == [UploadReady(UUID(made["id"]), UUID(owner.id))]


async def test_the_original_stays_private(
    owner: Person, runtime: Runtime, settings: Settings, sql: Sql, client: httpx.AsyncClient
) -> None:
    made = await upload(owner, photo(700, 500))
    await process(runtime, made["id"])
    ready = (await owner.get(f"/uploads/{made['id']}")).json()
    for rendition in ready["renditions"]:
        assert (await client.get(urlsplit(rendition["url"]).path)).content != photo(700, 500)
    key = (await row(sql, made["id"]))["original_key"]
    assert key not in str(ready)
    assert (await client.get(f"/media/public/{key.partition('/')[2]}.webp")).status_code == 404


async def test_killed_after_writing_leaves_no_orphan_files(
    *,
    owner: Person,
    runtime: Runtime,
    settings: Settings,
    sql: Sql,
    run_jobs: RunJobs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = await upload(owner, photo(700, 500))
    before = public(settings)

    async def die(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(processing, "succeed", die)
        with pytest.raises(KeyboardInterrupt):
            await process(runtime, made["id"])
    left = public(settings) - before
    assert len(left) == 2
    assert (await row(sql, made["id"]))["status"] == "PROCESSING"
    await run_jobs()
    shown = await row(sql, made["id"])
    assert (shown["status"], shown["attempts"]) == ("READY", 2)
    now = public(settings) - before
    assert len(now) == 2
    assert not now & left


async def test_an_attempt_that_was_taken_over_takes_its_files_back(
    *,
    owner: Person,
    runtime: Runtime,
    settings: Settings,
    sql: Sql,
    run_jobs: RunJobs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = await upload(owner, photo(700, 500))
    before = public(settings)
    original = processing.succeed

    async def overtaken(session: Any, upload_id: UUID, attempt: int, image: Any, keys: Any) -> None:
        monkeypatch.setattr(processing, "succeed", original)
        await process(runtime, made["id"])
        await original(session, upload_id, attempt, image, keys)

    monkeypatch.setattr(processing, "succeed", overtaken)
    await process(runtime, made["id"])
    await run_jobs()
    shown = await row(sql, made["id"])
    assert (shown["status"], shown["attempts"]) == ("READY", 2)
    assert len(public(settings) - before) == 2


async def test_a_crash_is_retried_and_the_last_one_told(
    *,
    owner: Person,
    runtime: Runtime,
    settings: Settings,
    told: list[object],
    sql: Sql,
    frail: ImagePool,
) -> None:
    made = await upload(owner)
    for _ in range(settings.job_attempts - 1):
        with pytest.raises(ImageWorkerCrashed):
            await process(runtime, made["id"])
        assert (await row(sql, made["id"]))["status"] == "PROCESSING"
    assert told == []
    await process(runtime, made["id"])
    end = (await owner.get(f"/uploads/{made['id']}")).json()
    assert (end["status"], end["code"]) == ("REJECTED", "processing_failed")
    assert told == [UploadRejected(UUID(made["id"]), UUID(owner.id), "processing_failed")]


async def test_a_picture_that_killed_its_worker_each_time_is_given_up(
    owner: Person, runtime: Runtime, settings: Settings, sql: Sql, run_jobs: RunJobs
) -> None:
    """The queue buried the job, so nothing but the sweep knows of it any more."""
    made = await upload(owner)
    await sql.execute("DELETE FROM pgqueuer")
    await sql.execute(
        "UPDATE uploads SET status = 'PROCESSING', attempts = $2, moved_at = now() - interval '1 hour' WHERE id = $1",
        UUID(made["id"]),
        settings.job_attempts,
    )
    await jobs.sweep_uploads.run(runtime)
    await run_jobs()
    assert (await row(sql, made["id"]))["rejection_code"] == "processing_failed"


async def test_a_job_that_was_lost_is_queued_again(
    owner: Person, runtime: Runtime, sql: Sql, run_jobs: RunJobs
) -> None:
    made = await upload(owner)
    await sql.execute("DELETE FROM pgqueuer")
    await sql.execute("UPDATE uploads SET moved_at = now() - interval '1 hour' WHERE id = $1", UUID(made["id"]))
    await jobs.sweep_uploads.run(runtime)
    await run_jobs()
    assert (await row(sql, made["id"]))["status"] == "READY"


async def test_a_vanished_original_is_a_failure_and_not_a_verdict(owner: Person, runtime: Runtime, sql: Sql) -> None:
    made = await upload(owner)
    store: ObjectStore = store_of(runtime.adapters)
    await store.delete([(await row(sql, made["id"]))["original_key"]])
    with pytest.raises(FileNotFoundError):
        await process(runtime, made["id"])
    assert (await row(sql, made["id"]))["status"] == "PROCESSING"
