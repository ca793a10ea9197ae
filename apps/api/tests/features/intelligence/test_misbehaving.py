"""Plug-ins that hang, raise or answer nonsense, in a real memi: they cost their time at most, and nothing else."""

import asyncio
import signal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from memi.intelligence.ports import PORTS
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.settings import Settings
from support.items import make_listing
from support.items import whole as whole_listing
from support.people import People, Person
from support.plugins import Package
from support.sql import Sql
from support.talks import Talks
from support.uploads import make_upload
from support.whole import Whole, until, whole

METHODS = sorted(port.method for port in PORTS.values())
LIMIT = 0.3
SLACK = 1.0
BAD: dict[str, tuple[str, str]] = {
    "hangs": ("def", "time.sleep(3600)"),
    "hangs on the loop": ("async def", "await asyncio.sleep(3600)"),
    "raises": ("def", "raise ValueError(question)"),
    "raises on the loop": ("async def", "raise ValueError(question)"),
    "answers nonsense": ("def", "return {'nonsense': question}"),
}


def package(what: str) -> Package:
    """One that does the same wrong thing at every port."""
    define, deed = BAD[what]
    lines = ["import asyncio", "import time", "", "class Bad:"]
    for method in METHODS:
        lines += [f"    {define} {method}(self, question):", f"        {deed}", ""]
    return Package("bad-package", "\n".join(lines), dict.fromkeys(PORTS, "Bad"))


class Visit:
    """What a seller and a buyer do, each step with its reply and how long it took."""

    def __init__(self, memi: Whole, seller: Person, viewer: Person, sql: Sql) -> None:
        self.memi, self.seller, self.viewer, self.sql = memi, seller, viewer, sql
        self.slowest = 0.0

    async def call(self, person: Person, method: str, path: str, json: Any = None) -> Any:
        reply, took = await self.memi.timed(person, method, path, json)
        self.slowest = max(self.slowest, took)
        return reply.status_code, reply.json()

    async def reads(self, item: str, draft: str) -> list[Any]:
        """The same for everybody, whatever is plugged in."""
        status, advice = await self.call(self.seller, "GET", f"/listings/{item}/price-advice")
        return [
            await self.call(self.viewer, "GET", "/listings?limit=5"),
            await self.call(self.viewer, "GET", "/listings?category=women-clothes-coats-wool&limit=3"),
            await self.call(self.viewer, "GET", "/users/me/recommendations"),
            await self.call(self.seller, "GET", f"/listings/{draft}/category-suggestions"),
            (status, advice["code"]),
        ]

    async def writes(self, chat: str) -> tuple[str, str]:
        """Publish something and say something: (listing, message)."""
        body = whole_listing(publish=True, images=[await make_upload(self.sql, self.seller.id)])
        status, item = await self.call(self.seller, "POST", "/listings", body)
        assert (status, item["status"]) == (201, "ACTIVE")
        status, said = await self.call(self.seller, "POST", f"/chats/{chat}/messages", {"body": "Salam"})
        assert (status, said["body"]) == (201, "Salam")
        return item["id"], said["id"]


@pytest.mark.parametrize("what", BAD)
async def test_answers_are_those_without_it(  # noqa: PLR0917  # fixtures
    what: str,
    tmp_path: Path,
    database_urls: EmbeddedUrls,
    settings: Settings,
    people: People,
    talks: Talks,
    sql: Sql,
) -> None:
    package(what).install(tmp_path)
    seller, viewer = await people.new("Seller"), await people.new("Viewer")
    items = [(await make_listing(seller, sql))["id"] for _ in range(4)]
    draft = (await make_listing(seller, sql, publish=False))["id"]
    talk = await talks.new(seller=seller)
    async with whole(database_urls, settings, None) as plain:
        expected = await Visit(plain, seller, viewer, sql).reads(items[0], draft)
    assert [status for status, _ in expected] == [200, 200, 200, 200, 404]
    told = await sql.value("SELECT count(*) FROM intelligence_verdicts")

    async with whole(database_urls, settings, tmp_path, intelligence_seconds=LIMIT) as memi:
        visit = Visit(memi, seller, viewer, sql)
        for _ in range(3):
            assert await visit.reads(items[0], draft) == expected
        # All at once, more than there are threads: nobody waits for anybody else's.
        pages = await asyncio.gather(*(visit.reads(items[0], draft) for _ in range(8)))
        assert all(page == expected for page in pages)
        assert visit.slowest < LIMIT + SLACK

        health = (await memi.client.get("/health")).json()
        assert health["dependencies"]["intelligence"]["status"] == "degraded"
        assert "(left alone)" in health["dependencies"]["intelligence"]["detail"]
        assert health["dependencies"]["database"]["status"] == "up"

        made = [await visit.writes(talk.id) for _ in range(3)]
        assert visit.slowest < LIMIT + SLACK

        async def judged() -> bool:
            subjects = [UUID(subject) for pair in made for subject in pair]
            count = "SELECT count(*) FROM intelligence_verdicts WHERE subject_id = ANY($1)"
            return await sql.value(count, subjects) == 9  # two ports for each listing, one for each message

        await until(judged)
        wrong = "TIMEOUT" if "hangs" in what else "ERROR"
        newest = await sql.rows(
            "SELECT outcome, verdict FROM intelligence_verdicts ORDER BY id DESC LIMIT $1",
            await sql.value("SELECT count(*) FROM intelligence_verdicts") - told,
        )
        assert {row["outcome"] for row in newest} == {wrong, "SKIPPED"}
        assert {row["verdict"] for row in newest} == {None}
        assert await sql.value("SELECT count(*) FROM dead_jobs") == 0
        for table in ("listing_flags", "message_flags"):
            assert await sql.value(f"SELECT count(*) FROM {table}") == 0
        assert memi.exit_code() == 0, memi.log.read_text()
    assert memi.api.process.returncode == -signal.SIGTERM, "what hangs does not hold up the end"
    for log in (memi.api.log, memi.log):
        assert "Wool coat" not in log.read_text(), "what was asked is not in the log"
