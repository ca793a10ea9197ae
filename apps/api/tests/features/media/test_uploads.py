"""Announcing, sending, completing and watching an upload, as everyone who may or may not."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import pytest

from memi import parts, wiring
from memi.app import create_litestar
from memi.platform import clock
from memi.platform.gateway import Gateway
from memi.platform.job_runner import JobRunner
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.people import People, Person
from support.photos import announce, photo, put, upload
from support.sql import Sql

RunJobs = Callable[[], Awaitable[None]]


@pytest.fixture(scope="module")
async def owner(people: People) -> Person:
    return await people.new("Owner")


@pytest.fixture(scope="module")
async def stranger(people: People) -> Person:
    return await people.new("Stranger")


def stored(settings: Settings, area: str) -> set[Path]:
    return {path for path in (settings.data_dir / "media" / area).rglob("*") if path.is_file()}


async def status(sql: Sql, upload_id: str) -> str:
    return await sql.value("SELECT status FROM uploads WHERE id = $1", UUID(upload_id))


class TestAnnounce:
    async def test_anonymous(self, client: httpx.AsyncClient, sql: Sql) -> None:
        before = await sql.value("SELECT count(*) FROM uploads")
        body = {"filename": "a.jpg", "content_type": "image/jpeg", "size": 5}
        assert (await client.post("/api/v1/uploads", json=body)).status_code == 401
        assert await sql.value("SELECT count(*) FROM uploads") == before

    async def test_gives_a_request_to_make(self, owner: Person, settings: Settings) -> None:
        ticket = await announce(owner, b"12345", "IMAGE/PNG")
        assert ticket["status"] == "PENDING"
        assert ticket["method"] == "PUT"
        assert ticket["url"].startswith(settings.base_url)
        assert ticket["headers"] == {"Content-Type": "image/png"}
        assert ticket["expires_at"].endswith("Z")
        mine = (await owner.get(f"/uploads/{ticket['id']}")).json()
        assert (mine["status"], mine["code"], mine["size"], mine["renditions"]) == ("PENDING", None, 5, [])

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"content_type": "image/svg+xml"}, {("/content_type", "unsupported_type")}),
            ({"size": 15_000_001}, {("/size", "too_large")}),
            (
                {"content_type": "text/plain", "size": 99_000_000},
                {("/content_type", "unsupported_type"), ("/size", "too_large")},
            ),
            ({"size": 0}, {("/size", "out_of_range")}),
            ({"size": "5"}, {("/size", "wrong_type")}),
            ({"sha256": "abc"}, {("/sha256", "bad_format")}),
            ({"filename": ""}, {("/filename", "too_short")}),
            ({"filename": "a\nb"}, {("/filename", "bad_format")}),
            ({"owner": "me"}, {("/owner", "unknown_field")}),
        ],
    )
    async def test_refusals(
        self, owner: Person, sql: Sql, changes: dict[str, Any], expected: set[tuple[str, str]]
    ) -> None:
        before = await sql.value("SELECT count(*) FROM uploads")
        body = {"filename": "a.jpg", "content_type": "image/jpeg", "size": 5, **changes}
        reply = await owner.post("/uploads", body)
        assert reply.status_code == 422
        assert {(error["pointer"], error["code"]) for error in reply.json()["errors"]} == expected
        assert await sql.value("SELECT count(*) FROM uploads") == before


class TestPut:
    async def test_takes_the_file_from_anyone_who_has_the_url(
        self, owner: Person, client: httpx.AsyncClient, settings: Settings
    ) -> None:
        ticket = await announce(owner, photo())
        before = stored(settings, "incoming")
        assert (await put(client, ticket, photo())).status_code == 200
        (new,) = stored(settings, "incoming") - before
        assert new.read_bytes() == photo()

    @pytest.mark.parametrize(
        ("data", "headers", "expected"),
        [
            (photo()[:-1], {}, (403, "upload_length_mismatch")),
            (photo() + b"x", {}, (413, "body_too_large")),
            (b"", {}, (403, "upload_length_mismatch")),
            (photo(), {"Content-Type": "image/png"}, (403, "upload_type_mismatch")),
            (photo(), {"Content-Type": ""}, (403, "upload_type_mismatch")),
            (photo(), {"Content-Length": "banana"}, (403, "upload_length_mismatch")),
            (photo()[:-1], {"Content-Length": str(len(photo()))}, (403, "upload_length_mismatch")),
            (photo() + b"x", {"Content-Length": str(len(photo()))}, (413, "body_too_large")),
        ],
    )
    async def test_takes_nothing_else(
        self,
        *,
        owner: Person,
        client: httpx.AsyncClient,
        settings: Settings,
        data: bytes,
        headers: dict[str, str],
        expected: tuple[int, str],
    ) -> None:
        ticket = await announce(owner, photo())
        before = stored(settings, "")
        reply = await put(client, ticket, data, **headers)
        assert (reply.status_code, reply.json()["code"]) == expected
        assert reply.headers["content-type"] == "application/problem+json"
        assert stored(settings, "") == before

    async def test_a_body_of_unannounced_length(self, owner: Person, client: httpx.AsyncClient) -> None:
        async def parts() -> Any:
            yield photo()

        ticket = await announce(owner, photo())
        reply = await client.put(urlsplit(ticket["url"]).path, content=parts(), headers=ticket["headers"])
        assert (reply.status_code, reply.json()["code"]) == (403, "upload_length_mismatch")

    async def test_one_that_stops_coming_is_given_up(self, owner: Person, runtime: Runtime, settings: Settings) -> None:
        hasty = replace(runtime, settings=settings.model_copy(update={"request_seconds": 0.2}))
        app = create_litestar(hasty.settings, lambda: wiring.already_open(hasty))
        before = stored(settings, "tmp")

        async def parts() -> AsyncGenerator[bytes]:
            yield photo()[:100]
            await asyncio.sleep(2)
            yield photo()[100:]

        ticket = await announce(owner, photo())
        headers = {**ticket["headers"], "Content-Length": str(len(photo()))}
        async with app.lifespan():
            transport = httpx.ASGITransport(Gateway(app, hasty.settings))  # pyright: ignore[reportArgumentType]
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                reply = await client.put(ticket["url"], content=parts(), headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (503, "request_timed_out")
        assert stored(settings, "tmp") == before

    async def test_a_tampered_url(self, owner: Person, client: httpx.AsyncClient, settings: Settings) -> None:
        ticket = await announce(owner, photo())
        before = stored(settings, "")
        token = urlsplit(ticket["url"]).path.rpartition("/")[2]
        for position in (0, 10, 42, 43, 80, len(token) - 2):
            changed = token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
            reply = await client.put(f"/media/incoming/{changed}", content=photo(), headers=ticket["headers"])
            assert (reply.status_code, reply.json()["code"]) == (403, "invalid_upload_signature")
        for token in ("x", "....", "%00", "A" * 2000):
            reply = await client.put(f"/media/incoming/{token}", content=photo(), headers=ticket["headers"])
            assert (reply.status_code, reply.json()["code"]) == (403, "invalid_upload_signature")
        assert stored(settings, "") == before

    async def test_too_late(
        self, owner: Person, client: httpx.AsyncClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ticket = await announce(owner, photo())
        before = stored(settings, "")
        now, seconds = clock.now, settings.upload_url_seconds
        monkeypatch.setattr(clock, "now", lambda: now() + timedelta(seconds=seconds + 1))
        reply = await put(client, ticket, photo())
        assert (reply.status_code, reply.json()["code"]) == (403, "upload_url_expired")
        assert stored(settings, "") == before

    async def test_twice_at_once_keeps_one_whole_file(
        self, owner: Person, client: httpx.AsyncClient, settings: Settings
    ) -> None:
        one, other = photo(seed=1), photo(seed=2)[: len(photo(seed=1))].ljust(len(photo(seed=1)), b"\0")
        ticket = await announce(owner, one)
        before = stored(settings, "")
        replies = await asyncio.gather(*(put(client, ticket, data) for data in (one, other, one, other)))
        assert {reply.status_code for reply in replies} == {200}
        (new,) = stored(settings, "") - before
        assert new.read_bytes() in (one, other)


class TestComplete:
    async def test_anonymous_and_stranger(
        self, owner: Person, stranger: Person, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        ticket = await announce(owner, photo())
        await put(client, ticket, photo())
        path = f"/uploads/{ticket['id']}/complete"
        assert (await client.post(f"/api/v1{path}")).status_code == 401
        refused = await stranger.post(path)
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
        assert (await owner.post(f"/uploads/{uuid4()}/complete")).status_code == 404
        assert await status(sql, ticket["id"]) == "PENDING"

    async def test_before_the_file_came(self, owner: Person, sql: Sql) -> None:
        ticket = await announce(owner, photo())
        reply = await owner.post(f"/uploads/{ticket['id']}/complete")
        assert (reply.status_code, reply.json()["code"]) == (409, "upload_not_received")
        assert await status(sql, ticket["id"]) == "PENDING"

    async def test_takes_a_private_copy_and_queues_it(self, owner: Person, settings: Settings, sql: Sql) -> None:
        before = stored(settings, "originals")
        made = await upload(owner)
        assert (made["status"], made["code"]) == ("UPLOADED", None)
        (copy,) = stored(settings, "originals") - before
        assert copy.read_bytes() == photo()
        queued = await sql.value("SELECT count(*) FROM pgqueuer WHERE dedupe_key LIKE '%' || $1", made["id"])
        assert queued == 1

    async def test_again_and_at_once_changes_nothing(
        self, owner: Person, client: httpx.AsyncClient, settings: Settings, sql: Sql
    ) -> None:
        ticket = await announce(owner, photo())
        await put(client, ticket, photo())
        before = stored(settings, "originals")
        path = f"/uploads/{ticket['id']}/complete"
        replies = await asyncio.gather(*(owner.post(path) for _ in range(4)))
        assert {(reply.status_code, reply.json()["status"]) for reply in replies} == {(202, "UPLOADED")}
        assert (await owner.post(path)).json()["status"] == "UPLOADED"
        assert len(stored(settings, "originals") - before) == 1
        queued = await sql.value("SELECT count(*) FROM pgqueuer WHERE dedupe_key LIKE '%' || $1", ticket["id"])
        assert queued == 1

    async def test_a_second_put_changes_nothing_that_is_used(
        self, owner: Person, client: httpx.AsyncClient, settings: Settings, run_jobs: RunJobs
    ) -> None:
        data, other = photo(seed=3), photo(seed=4)
        size = max(len(data), len(other))
        data, other = data.ljust(size, b"\0"), other.ljust(size, b"\0")
        before = stored(settings, "originals")
        ticket = await announce(owner, data)
        await put(client, ticket, data)
        await owner.post(f"/uploads/{ticket['id']}/complete")
        assert (await put(client, ticket, other)).status_code == 200
        (copy,) = stored(settings, "originals") - before
        assert copy.read_bytes() == data
        await run_jobs()
        shown = (await owner.get(f"/uploads/{ticket['id']}")).json()
        await put(client, ticket, other)
        await owner.post(f"/uploads/{ticket['id']}/complete")
        await run_jobs()
        assert (await owner.get(f"/uploads/{ticket['id']}")).json() == shown
        assert shown["status"] == "READY"

    @pytest.mark.parametrize("right", [True, False])
    async def test_checks_the_announced_checksum(
        self, owner: Person, client: httpx.AsyncClient, settings: Settings, run_jobs: RunJobs, right: bool
    ) -> None:
        digest = hashlib.sha256(photo() if right else b"other").hexdigest().upper()
        ticket = await announce(owner, photo(), sha256=digest)
        await put(client, ticket, photo())
        before = stored(settings, "originals")
        reply = (await owner.post(f"/uploads/{ticket['id']}/complete")).json()
        expected = ("UPLOADED", None) if right else ("REJECTED", "checksum_mismatch")
        assert (reply["status"], reply["code"]) == expected
        if not right:
            await run_jobs()
            assert stored(settings, "originals") <= before

    async def test_a_file_of_another_length_in_the_store(
        self, owner: Person, client: httpx.AsyncClient, settings: Settings
    ) -> None:
        ticket = await announce(owner, photo())
        before = stored(settings, "incoming")
        await put(client, ticket, photo())
        (new,) = stored(settings, "incoming") - before
        new.write_bytes(photo() + b"more")
        reply = (await owner.post(f"/uploads/{ticket['id']}/complete")).json()
        assert (reply["status"], reply["code"]) == ("REJECTED", "size_mismatch")


class TestRead:
    async def test_only_the_owner_sees_it(self, owner: Person, stranger: Person, client: httpx.AsyncClient) -> None:
        ticket = await announce(owner, photo())
        path = f"/uploads/{ticket['id']}"
        assert (await client.get(f"/api/v1{path}")).status_code == 401
        assert (await stranger.get(path)).status_code == 404
        mine = await owner.get(path)
        assert mine.status_code == 200
        assert mine.headers["cache-control"] == "private, no-store"

    async def test_ready(self, owner: Person, client: httpx.AsyncClient, run_jobs: RunJobs) -> None:
        made = await upload(owner, photo(900, 600))
        await run_jobs()
        ready = (await owner.get(f"/uploads/{made['id']}")).json()
        assert (ready["status"], ready["code"]) == ("READY", None)
        assert (ready["width"], ready["height"]) == (900, 600)
        assert ready["blurhash"]
        assert [item["width"] for item in ready["renditions"]] == [320, 640]
        assert {item["content_type"] for item in ready["renditions"]} == {"image/webp"}


class TestPublic:
    @pytest.fixture(scope="class")
    async def url(self, owner: Person, runtime: Runtime) -> str:
        made = await upload(owner, photo(700, 500, seed=9))
        await JobRunner(runtime, parts.JOBS).drain()
        return urlsplit((await owner.get(f"/uploads/{made['id']}")).json()["renditions"][0]["url"]).path

    async def test_is_kept_for_good(self, client: httpx.AsyncClient, url: str) -> None:
        reply = await client.get(url)
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "image/webp"
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert int(reply.headers["content-length"]) == len(reply.content)
        assert reply.content[8:12] == b"WEBP"
        again = await client.get(url, headers={"If-None-Match": reply.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        looked = await client.head(url)
        assert (looked.status_code, looked.content) == (200, b"")
        assert looked.headers["content-length"] == reply.headers["content-length"]

    async def test_a_large_one_is_streamed(self, client: httpx.AsyncClient, url: str, settings: Settings) -> None:
        name = "L" * 32 + ".webp"
        path = settings.data_dir / "media" / "public" / name[:2] / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(range(256)) * 3000)
        reply = await client.get(f"/media/public/{name}")
        assert reply.content == path.read_bytes()
        assert int(reply.headers["content-length"]) == 768_000

    async def test_nothing_else_can_be_reached(
        self, client: httpx.AsyncClient, settings: Settings, owner: Person
    ) -> None:
        await upload(owner, photo(seed=11))
        names = [path.name for area in ("originals", "incoming") for path in stored(settings, area)]
        assert names
        tried = [
            *names,
            *(f"{name}.webp" for name in names),
            *(f"..%2Foriginals%2F{name[:2]}%2F{name}" for name in names),
            *(f"../originals/{name[:2]}/{name}" for name in names),
            "..%2F..%2Fkeys.json",
            "%2Fetc%2Fpasswd",
            "%00",
            "x" * 32 + ".webp",
            "x" * 32 + ".html",
        ]
        for name in tried:
            reply = await client.get(f"/media/public/{name}")
            assert reply.status_code == 404, name
