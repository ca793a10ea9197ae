"""Every feature's part in the process, one list per kind, and the adapter of every port."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module
from types import ModuleType

from litestar import Router

from memi.auth import routes as auth_routes
from memi.auth.passwords import PasswordHasher
from memi.auth.service import AuthPolicy, SessionChecker
from memi.notifications import routes as notifications_routes
from memi.platform import maintenance
from memi.platform.adapters import Adapters
from memi.platform.cursors import CursorSigner
from memi.platform.database import connect
from memi.platform.events import EventBus
from memi.platform.keyring import load_key_ring
from memi.platform.principal import AccessTokens, SessionCheck
from memi.platform.pubsub import Broker
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.platform.unit_of_work import UnitOfWork
from memi.users import routes as users_routes

ROUTERS: list[Router] = [auth_routes.router, users_routes.router, notifications_routes.router]
"""Everything below `/api/v1`."""

HANDLERS: list[ModuleType] = []
"""Modules whose `@in_transaction` and `@durable` functions listen to events."""

JOBS: list[ModuleType] = [maintenance]
"""Modules whose `@job` and `@recurring` functions a worker runs."""

MODELS: list[str] = [
    "platform.job_queue",
    "users.models",
    "auth.models",
    "catalog.models",
    "media.models",
    "audit.models",
    "listings.models",
    "search.models",
    "favorites.models",
    "chat.models",
    "reservations.models",
    "notifications.models",
]
"""Modules that define tables."""


async def seed_reference(migrator_url: str) -> None:
    """Write the reference data that every installation has; run after migrations, changes nothing when up to date."""


@asynccontextmanager
async def already_open(runtime: Runtime) -> AsyncGenerator[Runtime]:
    """For an application that shares the runtime of its process."""
    yield runtime


def load_models() -> None:
    """Fill the metadata with every table."""
    for name in MODELS:
        import_module(f"memi.{name}")


@asynccontextmanager
async def open_runtime(settings: Settings, database_url: str) -> AsyncGenerator[Runtime]:
    """Connect everything a process of memi needs, and close it again."""
    load_models()
    key_ring = load_key_ring(settings)
    database = await connect(settings, database_url)
    bus = EventBus(HANDLERS)
    broker = Broker(database_url)
    adapters = Adapters()
    runtime = Runtime(
        settings=settings,
        key_ring=key_ring,
        database=database,
        bus=bus,
        broker=broker,
        unit_of_work=UnitOfWork(database, bus, broker, adapters),
        cursors=CursorSigner(key_ring.signing_key("cursor")),
        adapters=adapters,
    )
    hasher = _choose_adapters(runtime)
    await broker.start()
    try:
        yield runtime
    finally:
        hasher.close()
        await broker.close()
        await database.close()


def _choose_adapters(runtime: Runtime) -> PasswordHasher:
    settings, adapters = runtime.settings, runtime.adapters
    tokens = AccessTokens(runtime.key_ring, settings.base_url, settings.access_token_seconds)
    hasher = PasswordHasher(settings.password_hash_threads)
    adapters.set(Settings, settings)
    adapters.set(AccessTokens, tokens)
    adapters.set(AuthPolicy, AuthPolicy.of(settings, tokens))
    adapters.set(PasswordHasher, hasher)
    adapters.set(SessionCheck, SessionChecker(runtime.database.hot))  # pyright: ignore[reportAbstractUsage]
    return hasher
