"""A database with a full catalogue, people with tokens and chats, and the recorded scenarios."""

import asyncio
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import asyncpg
import httpx
from rich.console import Console
from rich.progress import Progress

from bench import plan
from bench.plan import Answer, Recorder, Scenario, Statement
from memi import wiring
from memi.app import create_litestar
from memi.demo import bulk
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.gateway import Gateway
from memi.platform.migrations import migrate
from memi.platform.settings import Settings

CHATS = 64
_FILTERS = (
    "category=women-clothes&condition=GOOD&condition=VERY_GOOD&max_price=6000",
    "category=women-shoes&size=EU38&sort=price_asc",
    "category=men-clothes-jeans&color=BLUE&color=BLACK",
    "city=BAKU&min_price=1000&max_price=9000&sort=newest",
)


async def fill(settings: Settings, urls: EmbeddedUrls, listings: int, console: Console) -> None:
    """Migrate and seed; a database that has its catalogue already is left as it is."""
    await asyncio.to_thread(migrate, urls.migrator, urls.app)
    await wiring.seed_reference(urls.migrator)
    connection = await asyncpg.connect(urls.migrator)
    try:
        present = await connection.fetchval("SELECT count(*) FROM listings")
    finally:
        await connection.close()
    if present < listings:
        with Progress(console=console) as progress:
            task = progress.add_task("seeding listings", total=listings - present)
            async with wiring.open_runtime(settings, urls.app) as runtime:
                await bulk.fill(runtime, listings - present, lambda done, _: progress.update(task, completed=done))
        connection = await asyncpg.connect(urls.superuser)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
        await connection.close()


async def scenarios(settings: Settings, urls: EmbeddedUrls, chats: int = CHATS) -> list[Scenario]:
    """Ask memi each scenario's requests once and keep what it did; messages are sent in that many chats."""
    async with wiring.open_runtime(settings, urls.app) as runtime:
        recorder = Recorder(runtime.database)
        app = create_litestar(settings, lambda: wiring.already_open(runtime))
        async with app.lifespan():
            transport = httpx.ASGITransport(Gateway(app, settings), raise_app_exceptions=True)
            async with httpx.AsyncClient(transport=transport, base_url="http://bench") as client:
                return await _record(client, recorder, urls, chats)


async def _record(client: httpx.AsyncClient, recorder: Recorder, urls: EmbeddedUrls, chats: int) -> list[Scenario]:
    connection = await asyncpg.connect(urls.migrator)
    rows = await connection.fetch("SELECT id, title FROM listings WHERE status = 'ACTIVE' ORDER BY id LIMIT 2000")
    await connection.close()
    ids = [str(row["id"]) for row in rows[::20]]
    # What people type: a word or two, such as the beginning of a title.
    titles = sorted({" ".join(row["title"].replace(",", "").split()[:2]) for row in rows})[::7][:50]
    base = "/api/v1/listings"
    return [
        Scenario("browse", await _pages(client, recorder, base, 8), {}),
        Scenario(
            "filtered browse", [await plan.record(client, recorder, "GET", f"{base}?{item}") for item in _FILTERS], {}
        ),
        Scenario(
            "text search",
            [await plan.record(client, recorder, "GET", f"{base}?q={quote(title.lower())}") for title in titles],
            {},
        ),
        Scenario("listing page", [await plan.record(client, recorder, "GET", f"{base}/{item}") for item in ids], {}),
        await _messages(client, recorder, [str(row["id"]) for row in rows[:chats]]),
    ]


async def _pages(client: httpx.AsyncClient, recorder: Recorder, base: str, count: int) -> list[Answer]:
    """The first page and those that follow it."""
    found = [await plan.record(client, recorder, "GET", base)]
    for _ in range(count - 1):
        cursor = (await client.get(found[-1].path)).json()["next_cursor"]
        found.append(await plan.record(client, recorder, "GET", f"{base}?cursor={quote(cursor)}"))
    return found


async def _messages(client: httpx.AsyncClient, recorder: Recorder, listing_ids: list[str]) -> Scenario:
    answers: list[Answer] = []
    tokens: dict[str, str] = {}
    for number, listing_id in enumerate(listing_ids):
        email = f"bench-{number}-{listing_id[:8]}@example.com"
        account = {"email": email, "password": "a long enough passphrase", "name": "Bench"}
        reply = await client.post("/api/v1/auth/register", json=account)
        if reply.status_code == 409:
            reply = await client.post("/api/v1/auth/login", json={k: account[k] for k in ("email", "password")})
        token = reply.json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        opened = await client.post(f"/api/v1/listings/{listing_id}/chat", json={"body": "Hi"}, headers=headers)
        path = f"/api/v1/chats/{opened.json()['chat']['id']}/messages"
        body = {"body": "Is it still available?", "client_id": f"recording-{opened.json()['message']['seq']}"}
        answer = await plan.record(client, recorder, "POST", path, json=body, headers=headers)
        message_id = UUID(answer.body[answer.body.index(b'"id":"') + 6 :][:36].decode())
        answer.statements = [_templated(item, message_id, body) for item in answer.statements]
        answers.append(answer)
        tokens[path] = token
    return replace(Scenario("message send", answers, tokens), sends=True)


def _templated(statement: Statement, message_id: UUID, body: dict[str, str]) -> Statement:
    """Put markers where each send has a value of its own."""
    marks: dict[object, str] = {message_id: "new:id", body["body"]: "new:body", body["client_id"]: "new:client_id"}
    arguments = [marks.get(item, item) if isinstance(item, str | UUID) else item for item in statement.arguments]
    return Statement(statement.sql, arguments, statement.by_value)


def plan_path(folder: Path, scenario: Scenario) -> Path:
    """Where the floor finds the scenario's plan."""
    path = folder / f"{scenario.name.replace(' ', '-')}.plan"
    path.write_bytes(plan.encode(scenario.answers))
    return path
