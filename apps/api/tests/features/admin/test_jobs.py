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


class TestMany:
    async def test_only_administrators(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        await bury(sql, "many.guarded")
        body = {"name": "many.guarded", "reason": "Mail is back"}
        for move in ("retry", "discard"):
            assert (await client.post(f"/api/v1/admin/jobs/dead/{move}", json=body)).status_code == 401
            assert (await (await people.moderator()).post(f"/admin/jobs/dead/{move}", body)).status_code == 403
        assert await queued(sql, "many.guarded") == 0

    async def test_retries_all_of_a_name_and_no_other(self, people: People, sql: Sql) -> None:
        admin = await people.admin()
        for _ in range(3):
            await bury(sql, "many.retried")
        other = await bury(sql, "many.other")
        body = {"name": "many.retried", "reason": "Mail is back"}
        replies = await asyncio.gather(*(admin.post("/admin/jobs/dead/retry", body) for _ in range(3)))
        assert sum(reply.json()["jobs"] for reply in replies) == 3
        assert all(reply.json()["more"] is False for reply in replies)
        assert await queued(sql, "many.retried") == 3
        assert (await admin.get("/admin/jobs/dead?name=many.retried")).json()["items"] == []
        assert [item["id"] for item in (await admin.get("/admin/jobs/dead?name=many.other")).json()["items"]] == [other]
        entries = await sql.rows("SELECT * FROM audit_log WHERE target_id = 'many.retried'")
        assert {entry["action"] for entry in entries} == {"job.retry_many"}
        assert {entry["reason"] for entry in entries} == {"Mail is back"}

    async def test_discards_five_hundred_at_a_time(self, people: People, sql: Sql) -> None:
        admin = await people.admin()
        await sql.execute(
            "INSERT INTO dead_jobs (id, name, payload, attempts, error)"
            " SELECT gen_random_uuid(), 'many.gone', '{}', 8, 'no' FROM generate_series(1, 501)"
        )
        body = {"name": "many.gone", "reason": "From before the move"}
        done = [(await admin.post("/admin/jobs/dead/discard", body)).json() for _ in range(3)]
        assert done == [{"jobs": 500, "more": True}, {"jobs": 1, "more": False}, {"jobs": 0, "more": False}]
        assert await queued(sql, "many.gone") == 0
        assert await sql.value("SELECT count(*) FROM audit_log WHERE target_id = 'many.gone'") == 2
