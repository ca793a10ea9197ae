"""Reports for tests, made, claimed and decided as people and moderators do."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from support.people import People, Person
from support.sql import Sql
from support.talks import Talk, Talks

WHY = "The label is not the maker's."


@dataclass
class Case:
    """A report that is open."""

    id: str
    kind: str
    target: str
    reporter: Person
    subject: Person
    chat: str | None = None

    async def claim(self, moderator: Person) -> httpx.Response:
        return await moderator.post(f"/admin/reports/{self.id}/claim")

    async def resolve(self, moderator: Person, action: str, statement: str | None = WHY) -> httpx.Response:
        body = {"action": action} if statement is None else {"action": action, "statement": statement}
        return await moderator.post(f"/admin/reports/{self.id}/resolve", body)

    async def decided(self, moderator: Person, action: str) -> dict[str, Any]:
        """Claimed and resolved."""
        assert (await self.claim(moderator)).status_code == 200
        reply = await self.resolve(moderator, action)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def appeal(self, person: Person, text: str = "It is genuine.") -> httpx.Response:
        return await person.post(f"/reports/{self.id}/appeal", {"text": text})

    async def appealed(self) -> str:
        """The id of the affected person's appeal."""
        reply = await self.appeal(self.subject)
        assert reply.status_code == 201, reply.text
        return reply.json()["id"]


class Cases:
    def __init__(self, people: People, talks: Talks, sql: Sql) -> None:
        self.people, self.talks, self.sql = people, talks, sql

    async def report(self, reporter: Person, kind: str, target: str, **more: Any) -> httpx.Response:
        body = {"target_type": kind, "target_id": target, "reason": "COUNTERFEIT", **more}
        return await reporter.post("/reports", body)

    async def new(self, kind: str = "LISTING", reporter: Person | None = None, subject: Person | None = None) -> Case:
        """A report about an item, a seller, or a chat in which the reporter wrote first and the other one then."""
        reporter = reporter or await self.people.new("Leyla")
        subject = subject or await self.people.new("Murad")
        chat: str | None = None
        if kind == "LISTING":
            target = await self.talks.item(subject)
        elif kind == "USER":
            target = subject.id
        else:
            talk = await self.talks.new(reporter, subject)
            said = await talk.say(subject, "Send the money first.")
            chat = talk.id
            target = talk.id if kind == "CHAT" else said["id"]
        return await self.again(kind, target, reporter, subject, chat)

    async def again(self, kind: str, target: str, reporter: Person, subject: Person, chat: str | None = None) -> Case:
        reply = await self.report(reporter, kind, target)
        assert reply.status_code == 201, reply.text
        return Case(reply.json()["id"], kind, target, reporter, subject, chat)

    async def talk(self) -> Talk:
        return await self.talks.new()

    async def count(self, table: str = "reports") -> int:
        return await self.sql.value(f"SELECT count(*) FROM {table}")

    async def audited(self, target: str) -> list[str]:
        rows = await self.sql.rows("SELECT action FROM audit_log WHERE target_id = $1 ORDER BY at, id", target)
        return [row["action"] for row in rows]

    async def row(self, case: Case) -> dict[str, Any]:
        return (await self.sql.rows("SELECT * FROM reports WHERE id = $1", UUID(case.id)))[0]

    async def told(self, person: Person) -> list[dict[str, Any]]:
        """What they were told by moderators, the oldest first; also of those who cannot sign in."""
        rows = await self.sql.rows(
            "SELECT event, data::text AS data FROM notifications"
            " WHERE user_id = $1 AND type = 'MODERATION' ORDER BY id",
            UUID(person.id),
        )
        return [dict(row) for row in rows]

    async def listing_status(self, case: Case) -> str:
        return await self.sql.value("SELECT status FROM listings WHERE id = $1", UUID(case.target))

    async def is_blocked(self, person: Person) -> bool:
        return await self.sql.value("SELECT is_blocked FROM users WHERE id = $1", UUID(person.id))


@pytest.fixture(scope="module")
async def cases(people: People, talks: Talks, sql: Sql) -> Cases:
    return Cases(people, talks, sql)
