"""Where the database is: the configured one, or memi's own server in the data folder."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from memi import wiring
from memi.platform.embedded_postgres import EmbeddedPostgres
from memi.platform.migrations import migrate
from memi.platform.settings import Settings


@dataclass(frozen=True)
class DatabaseUrls:
    """Connection URLs by role: the service's and the one that owns the tables. The repr hides them."""

    app: str = field(repr=False)
    migrator: str = field(repr=False)


def configured_urls(settings: Settings) -> DatabaseUrls | None:
    """The URLs of `MEMI_DATABASE_URL` and `MEMI_MIGRATOR_DATABASE_URL` (by default the same one), or None."""
    if settings.database_url is None:
        return None
    app = settings.database_url.get_secret_value()
    migrator = settings.migrator_database_url
    return DatabaseUrls(app, migrator.get_secret_value() if migrator is not None else app)


def embedded_server(settings: Settings) -> EmbeddedPostgres:
    return EmbeddedPostgres(settings.data_dir / "postgres")


@contextmanager
def open_database(settings: Settings) -> Generator[DatabaseUrls]:
    """The configured database, else the embedded one: attached to when it runs, else running inside the block."""
    configured = configured_urls(settings)
    if configured is not None:
        yield configured
        return
    with embedded_server(settings) as urls:
        yield DatabaseUrls(urls.app, urls.migrator)


def bring_up_to_date(urls: DatabaseUrls) -> None:
    """Migrate and write the reference data; changes nothing when both are present. Blocks."""
    migrate(urls.migrator, urls.app)
    asyncio.run(wiring.seed_reference(urls.migrator))
