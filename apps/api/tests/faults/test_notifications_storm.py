"""Workers that are killed while thousands of notifications are due: each is told once, and no mail goes out twice."""

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from memi.listings.events import PriceDropped
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.events import publish
from memi.platform.runtime import Runtime
from memi.users.events import UserUnblocked
from support.accounts import accounts, tokens_of
from support.deals import Deals
from support.mail import MailServer, mail_server
from support.people import People
from support.sql import Sql

PEOPLE = int(os.environ.get("STORM_PEOPLE", "2500"))
DUE = 2 * PEOPLE
"""Each is told that their account is open again, by an event of their own, and of a price, by one fan-out for all.

They are 5,000; while working on it `STORM_PEOPLE=300` is quicker.
"""
PATIENCE = 120 + DUE / 10
"""Seconds."""
KILLS = 5


class Workers:
    """Worker processes on one database and one mail server."""

    def __init__(self, urls: EmbeddedUrls, folder: Path, keys: Path, smtp: MailServer) -> None:
        self._url, self._folder = urls.app, folder
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("MEMI_")}
        self._environment.update(
            MEMI_ENV="test",
            MEMI_DATA_DIR=str(folder),
            MEMI_KEY_RING_FILE=str(keys),
            MEMI_SMTP_URL=f"smtp://{smtp.host}",
            MEMI_JOB_HEARTBEAT_SECONDS="3",
            MEMI_JOB_POLL_SECONDS="0.2",
            PYTHONPATH=os.pathsep.join(sys.path),
        )
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        with (self._folder / "worker.log").open("ab") as log:
            self.running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "support.fault_worker", self._url],
                    env=self._environment,
                    cwd=self._folder,
                    stdout=log,
                    stderr=log,
                )
            )

    def all_run(self) -> bool:
        return all(process.poll() is None for process in self.running)

    def kill(self) -> None:
        while self.running:
            process = self.running.pop()
            process.kill()
            process.wait(10)


@pytest.fixture
async def smtp() -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        yield server


@pytest.fixture
def workers(database_urls: EmbeddedUrls, tmp_path: Path, runtime: Runtime, smtp: MailServer) -> Iterator[Workers]:
    made = Workers(database_urls, tmp_path, runtime.settings.data_dir / "keys.json", smtp)
    yield made
    made.kill()


async def until(sql: Sql, condition: str, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not await sql.value(f"SELECT {condition}"):
            await asyncio.sleep(0.05)


async def test_each_is_told_once_and_no_mail_goes_out_twice(  # noqa: PLR0917  # fixtures
    people: People, client: httpx.AsyncClient, runtime: Runtime, sql: Sql, workers: Workers, smtp: MailServer
) -> None:
    seller = await people.new("Murad")
    item = await Deals(people, sql).item(seller)
    fans = [UUID(fan.id) for fan in await accounts(PEOPLE, client, tokens_of(runtime), sql)]
    await sql.execute("INSERT INTO favorites (user_id, listing_id) SELECT unnest($1::uuid[]), $2", fans, UUID(item))
    await sql.execute("INSERT INTO notification_preferences SELECT unnest($1::uuid[]), 'LISTING', 'email', true", fans)
    # The jobs of making accounts and items are not what is counted here.
    await sql.execute("DELETE FROM pgqueuer")
    async with runtime.unit_of_work() as session:
        publish(session, PriceDropped(UUID(item), UUID(seller.id), 5000, 4500))
        for fan in fans:
            publish(session, UserUnblocked(fan))

    dice = random.Random(7)
    for kill in range(1, KILLS + 1):
        workers.start()
        workers.start()
        # Each pair lives until it has sent a part, and a little longer, so that it dies at no particular step.
        wanted = kill * DUE // (KILLS + 2)
        async with asyncio.timeout(PATIENCE):
            while len(smtp.mails) < wanted:
                assert workers.all_run(), "a worker ended by itself"
                await asyncio.sleep(0.02)
        await asyncio.sleep(dice.random() * 0.2)
        workers.kill()
    assert len(smtp.mails) < DUE, "everything was sent before the last kill, which then proves nothing"

    workers.start()
    left = "state = 'DUE'"
    await until(sql, f"(SELECT count(*) FROM notifications) = {DUE}", PATIENCE)
    await until(sql, f"NOT EXISTS (SELECT FROM notification_mails WHERE {left})", PATIENCE)
    await until(sql, "NOT EXISTS (SELECT FROM pgqueuer WHERE entrypoint LIKE 'notifications.%mail_person')", 60)
    workers.kill()

    told = await sql.rows("SELECT user_id, event, count(*) FROM notifications GROUP BY user_id, event")
    assert {(row["user_id"], row["event"]) for row in told} == {
        (fan, event) for fan in fans for event in ("account.unblocked", "listing.price_dropped")
    }
    assert {row["count"] for row in told} == {1}

    sent = Counter((str(mail["To"]), str(mail["Subject"])) for mail in smtp.mails)
    assert sent
    assert [mail for mail, times in sent.items() if times > 1] == []
    states = {row["state"]: row["count"] for row in await sql.rows(
        "SELECT state, count(*) FROM notification_mails GROUP BY state"
    )}  # fmt: skip
    # What a worker had claimed when it died went out or did not; it is never tried again.
    assert set(states) <= {"SENT", "CLAIMED"}
    assert sum(states.values()) == DUE
    assert states["SENT"] <= len(sent) <= DUE
    assert states.get("CLAIMED", 0) <= KILLS * 2 * 20, "more than two workers can have had in hand"
    assert await sql.value("SELECT count(*) FROM dead_jobs") == 0
