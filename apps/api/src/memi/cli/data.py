"""`memi migrate` and `memi seed`: the database's shape and the data that every installation has."""

import asyncio
from typing import Annotated

import typer
from rich.progress import Progress

from memi import wiring
from memi.cli.database import bring_up_to_date, open_database
from memi.cli.errors import CommandFailed
from memi.demo import bulk
from memi.platform.migrations import migrate as run_migrations
from memi.platform.settings import Settings, load_settings


def migrate() -> None:
    """Bring the database to the present schema and give the service's role its rights."""
    with open_database(load_settings()) as urls:
        run_migrations(urls.migrator, urls.app)
    print("The database is up to date.")


def seed(
    listings: Annotated[int, typer.Option(min=0, help="Also add this many believable listings, by COPY.")] = 0,
) -> None:
    """Write the reference data: categories, brands, sizes, colours, materials, conditions, cities."""
    settings = load_settings()
    if listings and settings.is_production:
        raise CommandFailed("made-up listings are refused in production")
    with open_database(settings) as urls:
        bring_up_to_date(urls)
        print("The reference data is up to date.")
        if listings:
            asyncio.run(_fill(settings, urls.app, listings))


async def _fill(settings: Settings, database_url: str, listings: int) -> None:
    with Progress() as progress:
        task = progress.add_task("listings", total=listings)
        async with wiring.open_runtime(settings, database_url) as runtime:
            await bulk.fill(runtime, listings, lambda done, _: progress.update(task, completed=done))
