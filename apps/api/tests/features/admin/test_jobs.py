"""Dead jobs: seen, retried, discarded."""

import asyncio
from uuid import uuid4

import httpx

from support.people import People
from support.sql import Sql


async def bury(sql: Sql, name: str = "listings.jobs.nothing_like_it") -> str:
    job_id = uuid4()
    payload = b'{"upload_id": "1", "refresh_token": "hunter2"}'
    await sql.execute(
        "INSERT INTO dead_jobs (id, name, payload, attempts, error) VALUES ($1, $2, $3, 8, 'ValueError: no')",
        job_id,
        name,
        payload,
    )
    return str(job_id)


async def queued(sql: Sql, name: str) -> int:
    return await sql.value("SELECT count(*) FROM pgqueuer WHERE entrypoint = $1", name)


class TestDeadJobs:
    async def test_only_administrators(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        job_id = await bury(sql, "only.administrators")
        moderator = await people.moderator()
        assert (await client.get("/api/v1/admin/jobs/dead")).status_code == 401
        assert (await moderator.get("/admin/jobs/dead")).json()["code"] == "permission_denied"
        for move in ("retry", "discard"):
            assert (await client.post(f"/api/v1/admin/jobs/dead/{job_id}/{move}")).status_code == 401
            assert (await moderator.post(f"/admin/jobs/dead/{job_id}/{move}")).status_code == 403
        assert await queued(sql, "only.administrators") == 0
        assert await sql.value("SELECT count(*) FROM dead_jobs WHERE id = $1", job_id) == 1

    async def test_are_listed_without_secrets(self, people: People, sql: Sql) -> None:
        admin, job_id = await people.admin(), await bury(sql)
        reply = await admin.get("/admin/jobs/dead?limit=1")
        item = reply.json()["items"][0]
        assert (item["id"], item["attempts"], item["error"]) == (job_id, 8, "ValueError: no")
        assert item["payload"]["upload_id"] == "1"
        assert "hunter2" not in reply.text

    async def test_retry_queues_it_once_however_many_ask(self, people: People, sql: Sql) -> None:
        admin, job_id = await people.admin(), await bury(sql, "retried.once")
        replies = await asyncio.gather(*(admin.post(f"/admin/jobs/dead/{job_id}/retry") for _ in range(4)))
        assert sorted(reply.status_code for reply in replies) == [200, 404, 404, 404]
        assert await queued(sql, "retried.once") == 1
        assert await sql.value("SELECT count(*) FROM dead_jobs WHERE id = $1", job_id) == 0
        assert (
            await sql.value("SELECT count(*) FROM audit_log WHERE action = 'job.retry' AND target_id = $1", job_id) == 1
        )

    async def test_discard_forgets_it(self, people: People, sql: Sql) -> None:
        admin, job_id = await people.admin(), await bury(sql, "discarded")
        assert (await admin.post(f"/admin/jobs/dead/{job_id}/discard")).status_code == 200
        assert (await admin.post(f"/admin/jobs/dead/{job_id}/discard")).status_code == 404
        assert await queued(sql, "discarded") == 0
        entry = (await sql.rows("SELECT before FROM audit_log WHERE target_id = $1", job_id))[0]
        assert "discarded" in entry["before"]
