"""`memi migrate` and `memi seed`: the database's shape and the data that every installation has."""

import asyncio

from memi import wiring
from memi.cli.database import open_database
from memi.platform.migrations import migrate as run_migrations
from memi.platform.settings import load_settings


def migrate() -> None:
    """Bring the database to the present schema and give the service's role its rights."""
    with open_database(load_settings()) as urls:
        run_migrations(urls.migrator, urls.app)
    print("The database is up to date.")


def seed() -> None:
    """Write the reference data: categories, brands, sizes, colours, materials, conditions, cities."""
    with open_database(load_settings()) as urls:
        asyncio.run(wiring.seed_reference(urls.migrator))
    print("The reference data is up to date.")
