"""`memi replay-search`: the same rebuilding from a shell, while the service runs."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from uuid import UUID

import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.runtime import Runtime
from memi.search import replaying
from support.items import make_listing
from support.people import People
from support.service import environment, memi
from support.sql import Sql

Command = Callable[..., Awaitable[CompletedProcess[str]]]


@pytest.fixture
def command(database_urls: EmbeddedUrls, tmp_path: Path) -> Command:
    async def run(*arguments: str) -> CompletedProcess[str]:
        env = environment(tmp_path, 8000, MEMI_DATABASE_URL=database_urls.app)
        return await asyncio.to_thread(memi, "replay-search", *arguments, env=env, cwd=tmp_path)

    return run


async def lose(sql: Sql, *listings: str) -> None:
    await sql.execute("DELETE FROM listing_cards WHERE listing_id = ANY($1)", [UUID(item) for item in listings])


async def there(sql: Sql, *listings: str) -> list[bool]:
    query = "SELECT EXISTS (SELECT FROM listing_cards WHERE listing_id = $1)"
    return [await sql.value(query, UUID(item)) for item in listings]


async def test_all_one_or_what_changed(people: People, sql: Sql, command: Command) -> None:
    seller = await people.new()
    one, other = [(await make_listing(seller, sql))["id"] for _ in range(2)]
    await lose(sql, one, other)
    done = await command("--listing", one)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 listings were read again."), done.stderr
    assert await there(sql, one, other) == [True, False]
    done = await command()
    assert done.returncode == 0, done.stderr
    assert await there(sql, one, other) == [True, True]
    await lose(sql, one)
    done = await command("--since", (datetime.now(UTC) - timedelta(minutes=5)).isoformat())
    assert done.returncode == 0, done.stderr
    assert await there(sql, one) == [True]
    assert await sql.value("SELECT count(*) FROM search_replays WHERE finished_at IS NULL") == 0


async def test_what_it_cannot_do_it_says_in_a_line(
    people: People, sql: Sql, runtime: Runtime, command: Command
) -> None:
    for arguments, code in (
        (("--since", "yesterday"), 2),
        (("--since", "2020-01-01", "--listing", str(UUID(int=1))), 2),
    ):
        refused = await command(*arguments)
        assert refused.returncode == code
        assert len(refused.stderr.strip().splitlines()) == 1
    early = await command("--since", "2020-01-01T00:00:00Z")
    assert early.returncode == 1
    assert "Changes are remembered for a day" in early.stderr
    async with runtime.unit_of_work() as session:
        await replaying.begin(session, "all")
    twice = await command()
    assert twice.returncode == 1
    assert "already" in twice.stderr
