"""Administrators have erased what somebody said, whose account is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from memi.audit import checking
from memi.platform.embedded_postgres import EmbeddedUrls
from support.factors import grow_old
from support.leaving import Leaving
from support.leaving import leaving as leaving
from support.people import People
from support.sql import Sql
from support.talks import Talk, Talks
from support.talks import talks as talks

RunJobs = Callable[[], Awaitable[None]]
REASON = {"reason": "Asked for by letter, ticket 4711"}


def path_of(user_id: str) -> str:
    return f"/admin/users/{user_id}/erase-words"


async def bodies(talk: Talk, sql: Sql) -> list[str]:
    rows = await sql.rows("SELECT body FROM messages WHERE chat_id = $1 ORDER BY seq", UUID(talk.id))
    return [row["body"] for row in rows]


async def entries(sql: Sql, user_id: str) -> list[dict[str, Any]]:
    return await sql.rows(
        "SELECT id, actor_id, action, reason, after->>'request_id' AS request, (after->>'messages')::int AS messages"
        " FROM audit_log WHERE target_id = $1 AND action LIKE 'user.%words%' ORDER BY chain_seq",
        user_id,
    )


@pytest.fixture
async def talk(talks: Talks) -> Talk:
    """The buyer's message, and the seller's."""
    made = await talks.new()
    await made.say(made.seller, "It is")
    return made


@pytest.fixture
async def over(talk: Talk, leaving: Leaving) -> Talk:
    """The buyer is gone for good."""
    await leaving.gone(talk.buyer)
    return talk


class TestRefusals:
    async def _nothing_happened(self, talk: Talk, sql: Sql, run_jobs: RunJobs) -> None:
        await run_jobs()
        assert await entries(sql, talk.buyer.id) == []
        assert await bodies(talk, sql) == ["Is it still there?", "It is"]

    async def test_only_administrators(
        self, over: Talk, people: People, client: httpx.AsyncClient, sql: Sql, run_jobs: RunJobs
    ) -> None:
        path = path_of(over.buyer.id)
        assert (await client.post(f"/api/v1{path}", json=REASON)).status_code == 401
        assert (await client.get(f"/api/v1{path}")).status_code == 401
        for person in (over.seller, await people.moderator()):
            for reply in (await person.post(path, REASON), await person.get(path)):
                assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")
        await self._nothing_happened(over, sql, run_jobs)

    async def test_needs_a_recent_proof(self, over: Talk, people: People, sql: Sql, run_jobs: RunJobs) -> None:
        admin = await people.admin()
        await grow_old(sql, admin)
        reply = await admin.post(path_of(over.buyer.id), REASON)
        assert (reply.status_code, reply.json()["code"]) == (403, "step_up_required")
        await self._nothing_happened(over, sql, run_jobs)

    async def test_not_before_the_account_is_erased(
        self, talk: Talk, people: People, sql: Sql, run_jobs: RunJobs
    ) -> None:
        admin = await people.admin()
        standing = await admin.post(path_of(talk.buyer.id), REASON)
        assert (standing.status_code, standing.json()["code"]) == (409, "account_not_erased")
        assert standing.json()["erase_after"] is None
        assert (await talk.buyer.delete("/users/me")).status_code == 204
        deleted = await admin.post(path_of(talk.buyer.id), REASON)
        assert (deleted.status_code, deleted.json()["code"]) == (409, "account_not_erased")
        known = (await admin.get(f"/admin/users/{talk.buyer.id}")).json()
        assert deleted.json()["erase_after"] == known["erase_after"]
        await self._nothing_happened(talk, sql, run_jobs)

    async def test_nobody_there(self, people: People) -> None:
        admin = await people.admin()
        for reply in (await admin.post(path_of(str(uuid4())), REASON), await admin.get(path_of(str(uuid4())))):
            assert (reply.status_code, reply.json()["code"]) == (404, "not_found")

    @pytest.mark.parametrize("body", [{}, {"reason": "x"}, {"reason": "fine", "more": 1}])
    async def test_a_reason_is_needed(
        self, over: Talk, people: People, sql: Sql, run_jobs: RunJobs, body: dict[str, object]
    ) -> None:
        assert (await (await people.admin()).post(path_of(over.buyer.id), body)).status_code == 422
        await self._nothing_happened(over, sql, run_jobs)


class TestErasing:
    async def test_a_job_does_it_and_the_log_says_so(
        self, over: Talk, people: People, sql: Sql, run_jobs: RunJobs, database_urls: EmbeddedUrls
    ) -> None:
        admin, path = await people.admin(), path_of(over.buyer.id)
        reply = await admin.post(path, REASON)
        left: dict[str, object] = {"user_id": over.buyer.id, "words_left": True, "held_back_by": []}
        assert (reply.status_code, reply.json()) == (202, left)
        assert (await admin.get(path)).json() == left
        await run_jobs()
        assert (await admin.get(path)).json() == {**left, "words_left": False}
        assert await bodies(over, sql) == ["", "It is"]
        asked, done = await entries(sql, over.buyer.id)
        assert (asked["action"], done["action"]) == ("user.erase_words", "user.words_erased")
        for entry in (asked, done):
            assert (str(entry["actor_id"]), entry["reason"]) == (admin.id, REASON["reason"])
        assert (done["request"], done["messages"]) == (str(asked["id"]), 1)
        checked = await checking.check(database_urls.app, [], lambda done, total: None)
        assert not checked.sleeping

    async def test_twice_at_once_is_done_once(self, over: Talk, people: People, sql: Sql, run_jobs: RunJobs) -> None:
        admins = [await people.admin(), await people.admin()]
        replies = await asyncio.gather(*(admin.post(path_of(over.buyer.id), REASON) for admin in admins))
        assert [reply.status_code for reply in replies] == [202, 202]
        await run_jobs()
        found = await entries(sql, over.buyer.id)
        assert sorted(entry["action"] for entry in found) == ["user.erase_words"] * 2 + ["user.words_erased"]
        assert await bodies(over, sql) == ["", "It is"]

    async def test_what_holds_it_back_is_named(self, over: Talk, people: People, sql: Sql, run_jobs: RunJobs) -> None:
        admin, path = await people.admin(), path_of(over.buyer.id)
        reported = await over.seller.post("/reports", {"target_type": "CHAT", "target_id": over.id, "reason": "SCAM"})
        assert reported.status_code == 201, reported.text
        await sql.execute(
            "INSERT INTO message_flags (id, message_id, kind, source)"
            " SELECT gen_random_uuid(), id, 'CONTACT', 'RULE' FROM messages WHERE chat_id = $1 AND seq = 1",
            UUID(over.id),
        )
        left = {"user_id": over.buyer.id, "words_left": True, "held_back_by": ["FLAG", "REPORT"]}
        assert (await admin.post(path, REASON)).json() == left
        await run_jobs()
        assert (await admin.get(path)).json() == left
        assert await bodies(over, sql) == ["Is it still there?", "It is"]

    async def test_is_done_for_another_when_who_asked_first_is_no_administrator_any_more(
        self, over: Talk, people: People, sql: Sql, run_jobs: RunJobs
    ) -> None:
        first, second = await people.admin(), await people.admin()
        assert (await first.post(path_of(over.buyer.id), REASON)).status_code == 202
        await sql.execute("UPDATE users SET roles = '{MODERATOR}' WHERE id = $1", UUID(first.id))
        await run_jobs()
        assert await bodies(over, sql) == ["Is it still there?", "It is"]
        assert (await second.post(path_of(over.buyer.id), REASON)).status_code == 202
        await run_jobs()
        assert await bodies(over, sql) == ["", "It is"]
        done = (await entries(sql, over.buyer.id))[-1]
        assert (done["action"], str(done["actor_id"])) == ("user.words_erased", second.id)

    async def test_again_later_finds_nothing(self, over: Talk, people: People, sql: Sql, run_jobs: RunJobs) -> None:
        admin = await people.admin()
        for words_left in (True, False):
            reply = await admin.post(path_of(over.buyer.id), REASON)
            assert (reply.status_code, reply.json()["words_left"]) == (202, words_left)
            await run_jobs()
        found = await entries(sql, over.buyer.id)
        assert [entry["action"] for entry in found] == ["user.erase_words", "user.words_erased", "user.erase_words"]

    async def test_who_said_nothing(self, people: People, leaving: Leaving, sql: Sql, run_jobs: RunJobs) -> None:
        person, admin = await people.new(), await people.admin()
        await leaving.gone(person)
        reply = await admin.post(path_of(person.id), REASON)
        assert (reply.status_code, reply.json()["words_left"]) == (202, False)
        await run_jobs()
        assert [entry["action"] for entry in await entries(sql, person.id)] == ["user.erase_words"]
        assert await sql.value("SELECT count(*) FROM dead_jobs") == 0
