"""What an idle socket costs the process that holds it."""

from contextlib import AsyncExitStack
from pathlib import Path

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.settings import Settings
from support.people import People, Person
from support.server import ApiProcess, api_processes
from support.sockets import open_socket

_LIMIT = 40 * 1024


def resident(api: ApiProcess) -> int:
    """Bytes of memory of the process."""
    status = Path(f"/proc/{api.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


class TestIdleSockets:
    async def test_cost_at_most_40_kilobytes_each(
        self, database_urls: EmbeddedUrls, settings: Settings, people: People
    ) -> None:
        persons = [await people.new() for _ in range(10)]
        async with (
            api_processes(database_urls, settings, 1, sockets_per_user=100) as (api,),
            AsyncExitStack() as stack,
        ):

            async def open_some(number: int) -> None:
                for index in range(number):
                    person: Person = persons[index % len(persons)]
                    await stack.enter_async_context(open_socket(api.socket_url, person))

            await open_some(100)  # caches, pools and free lists have their size after these
            before = resident(api)
            await open_some(400)
            each = (resident(api) - before) / 400
            assert each <= _LIMIT, f"{each / 1024:.1f} KB"
