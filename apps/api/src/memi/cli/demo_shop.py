"""`memi fill-demo-shop`: what `memi up` runs beside the API and the worker on a local first start."""

import asyncio
import time
from typing import Annotated

import typer

from memi import wiring
from memi.cli.database import open_database
from memi.cli.errors import BadUsage, CommandFailed
from memi.cli.parentage import follow_parent
from memi.demo.shop import DemoShopFailed, fill_shop
from memi.platform.logging import configure_logging
from memi.platform.settings import Settings, load_settings

_REPORT_EVERY = 20


def fill_demo_shop(
    parent: Annotated[int | None, typer.Option("--parent", hidden=True, help="End with this process.")] = None,
) -> None:
    """Fill a local shop with demo listings; the API and a worker must be running. Goes on where it was stopped."""
    follow_parent(parent)
    settings = load_settings()
    if settings.is_production:
        raise BadUsage("production takes no demo data")
    configure_logging(settings)
    with open_database(settings) as urls:
        try:
            asyncio.run(_fill(settings, urls.app))
        except DemoShopFailed as failure:
            raise CommandFailed(f"the demo shop is not complete; the next start goes on: {failure}") from failure


async def _fill(settings: Settings, database_url: str) -> None:
    started = time.monotonic()

    def report(made: int, of: int) -> None:
        if made % _REPORT_EVERY == 0 or made == of:
            print(f"Demo shop: {made} of {of} listings ({time.monotonic() - started:.0f} s)", flush=True)

    async with wiring.open_runtime(settings, database_url) as runtime:
        await fill_shop(runtime, settings.data_dir / "demo-shop-filled", report)
