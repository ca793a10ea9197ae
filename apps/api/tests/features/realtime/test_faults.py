"""Processes that die, listeners that are cut off, servers that are stopped: sockets resume and nothing is missing."""

import asyncio
import signal
import time
from contextlib import AsyncExitStack

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.pubsub import BROKER_NAME
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.server import ApiProcess, api_processes
from support.sockets import Socket, open_socket
from support.sql import Sql
from support.talks import Talk, Talks

from .conftest import QUICK

_CUT_OFF = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name = $1"
)


async def chatter(talk: Talk, number: int, pause: float) -> None:
    for _ in range(number):
        await talk.say(talk.buyer)
        await asyncio.sleep(pause)


class TestListenerCutOff:
    async def test_delays_by_two_seconds_at_most_and_loses_nothing(
        self, apis: list[ApiProcess], talks: Talks, database_urls: EmbeddedUrls
    ) -> None:
        talk = await talks.new()
        async with open_socket(apis[0].socket_url, talk.seller) as socket, Sql.connect(database_urls.superuser) as root:
            talking = asyncio.create_task(chatter(talk, 30, 0.05))
            await asyncio.sleep(0.3)
            assert await root.value(_CUT_OFF, BROKER_NAME) == 3
            sent = await talk.say(talk.buyer, "just after")
            started = time.monotonic()
            await socket.until(lambda: sent["seq"] in socket.seqs(talk.id), 2)
            assert time.monotonic() - started <= 2
            await talking
            await socket.until(lambda: len(socket.seqs(talk.id)) == 31, 2)
            assert socket.seqs(talk.id) == list(range(2, 33))


class TestProcessKilled:
    async def test_the_client_resumes_on_another_without_gap_or_double(
        self, database_urls: EmbeddedUrls, settings: Settings, runtime: Runtime, talks: Talks
    ) -> None:
        talk = await talks.new()
        async with api_processes(database_urls, settings, 2, **QUICK) as (doomed, other):
            async with open_socket(doomed.socket_url, talk.seller) as first:
                talking = asyncio.create_task(chatter(talk, 60, 0.02))
                await first.until(lambda: len(first.seqs(talk.id)) >= 5)
                doomed.kill()
                await first.close_code()
            had = first.seqs(talk.id)
            assert had == list(range(2, len(had) + 2))
            async with open_socket(other.socket_url, talk.seller) as second:
                page = await second.ack("subscribe", chat_id=talk.id, after_seq=had[-1])
                await talking
                made_up = [item["seq"] for item in page["items"]]
                whole = list(range(2, 62))
                await second.until(lambda: len(had + made_up + second.seqs(talk.id)) >= len(whole))
                await asyncio.sleep(1)
                assert sorted(had + made_up + second.seqs(talk.id)) == whole
                assert second.seqs(talk.id) == sorted(second.seqs(talk.id))

    async def test_a_message_committed_by_a_dying_process_arrives_without_its_poke(
        self, apis: list[ApiProcess], talks: Talks, sql: Sql
    ) -> None:
        """A process may die between commit and poke: written past every process, it comes by the timer."""
        talk = await talks.new()
        async with open_socket(apis[0].socket_url, talk.seller) as socket:
            await sql.execute(
                "SELECT chat_send($1, $2, gen_random_uuid(), 'no poke', NULL, false, '{}', '{}')",
                talk.id,
                talk.buyer.id,
            )
            await socket.until(lambda: socket.seqs(talk.id) == [2], 2)


class TestStopping:
    async def test_sockets_are_told_to_come_back(
        self, database_urls: EmbeddedUrls, settings: Settings, runtime: Runtime, talks: Talks
    ) -> None:
        talk = await talks.new()
        async with api_processes(database_urls, settings, 1, **QUICK) as (api,), AsyncExitStack() as stack:
            opened: list[Socket] = [
                await stack.enter_async_context(open_socket(api.socket_url, person))
                for person in (talk.buyer, talk.seller)
            ]
            api.terminate()
            assert await asyncio.gather(*(socket.close_code(8) for socket in opened)) == [1012, 1012]
            assert await asyncio.to_thread(api.process.wait, 10) in (0, -signal.SIGTERM)
            assert "Traceback" not in api.output()
