"""The adapter of every port, and what a process of memi opens and closes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module

from memi.auth.impersonation import AuditedImpersonation
from memi.auth.lockout import Turns
from memi.auth.oauth_providers import Providers
from memi.auth.passwords import PasswordHasher
from memi.auth.policy import AuthPolicy
from memi.auth.session_check import SessionChecker
from memi.catalog import seeding
from memi.catalog.service import Catalog
from memi.chat import commands as chat_commands
from memi.chat import listing_watch
from memi.intelligence import plugins
from memi.intelligence.buffer import VerdictBuffer
from memi.intelligence.service import Intelligence
from memi.listings import viewing as listings_viewing
from memi.listings.purging import Keepers
from memi.media.local_store import LocalStore
from memi.media.processing_pool import ImagePool
from memi.media.store import ObjectStore
from memi.notifications import live as notifications_live
from memi.orders import live as orders_live
from memi.orders.outgoing import Outgoing
from memi.orders.payments import NoPayments, Payments, payments_of
from memi.orders.payments_http import HttpPayments
from memi.orders.webhooks import Signatures
from memi.parts import HANDLERS, KEEPERS, MODELS, PERSONAL_DATA, READINGS
from memi.platform.adapters import Adapters
from memi.platform.browser import BrowserCookies
from memi.platform.cursors import CursorSigner
from memi.platform.database import connect
from memi.platform.events import EventBus
from memi.platform.health import FeatureChecks
from memi.platform.impersonation import ImpersonationLog
from memi.platform.keyring import KeyRing, load_key_ring
from memi.platform.limits import Limiter
from memi.platform.mail import CountedMailer, Mailer
from memi.platform.mail_folder import FolderMailer, mail_folder
from memi.platform.mail_smtp import SmtpMailer
from memi.platform.personal_data import PersonalDataRegistry
from memi.platform.principal import AccessTokens, SessionCheck
from memi.platform.pubsub import Broker
from memi.platform.readings import Readings
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.platform.signing_keys import PublishedKeys, load_signing_keys
from memi.platform.unit_of_work import UnitOfWork
from memi.realtime.hub import Hub
from memi.reservations import live as reservations_live
from memi.search.engine import PostgresEngine, SearchEngine
from memi.search.feed import FeedOrdering
from memi.search.service import Browser
from memi.usage.keys import UsageKeys
from memi.usage.recorder import Recorder


async def seed_reference(migrator_url: str) -> None:
    """Write the reference data that every installation has; run after migrations, changes nothing when up to date."""
    await seeding.seed(migrator_url)


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
    intelligence = Intelligence(plugins.find(settings))
    database = await connect(settings, database_url)
    bus = EventBus(HANDLERS, intelligence.dormant(HANDLERS))
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
    adapters.set(Intelligence, intelligence)
    adapters.set(VerdictBuffer, VerdictBuffer(runtime.unit_of_work))
    hasher = _choose_adapters(runtime)
    # Starts no process before its first picture, so only workers ever have any.
    images = ImagePool(settings.image_workers)
    adapters.set(ImagePool, images)
    await broker.start()
    try:
        yield runtime
    finally:
        hasher.close()
        await images.aclose()
        await broker.close()
        await adapters.get(Limiter).aclose()
        await adapters.get(Providers).aclose()
        await payments_of(adapters).aclose()
        intelligence.close()
        await adapters.get(VerdictBuffer).aclose()
        await database.close()


def _mailer(settings: Settings) -> Mailer:
    if settings.smtp_url is None:
        return FolderMailer(mail_folder(settings), settings.mail_from)
    return SmtpMailer(settings.smtp_url.get_secret_value(), settings.mail_from)


def _payments(settings: Settings) -> Payments:
    if settings.payments_url is None or settings.payments_token is None:
        return NoPayments()
    return HttpPayments(
        settings.payments_url,
        settings.payments_token.get_secret_value(),
        settings.payments_timeout,
        https_only=settings.is_production,
    )


def _choose_adapters(runtime: Runtime) -> PasswordHasher:
    settings, adapters = runtime.settings, runtime.adapters
    keys = load_signing_keys(settings)
    tokens = AccessTokens(runtime.key_ring, settings.base_url, settings.access_token_seconds, keys)
    hasher = PasswordHasher(settings.password_hash_threads, settings.password_hash_queue)
    adapters.set(Settings, settings)
    adapters.set(KeyRing, runtime.key_ring)
    adapters.set(PersonalDataRegistry, PersonalDataRegistry(PERSONAL_DATA))
    adapters.set(Keepers, Keepers(KEEPERS))
    adapters.set(AccessTokens, tokens)
    adapters.set(PublishedKeys, PublishedKeys(keys))
    adapters.set(BrowserCookies, BrowserCookies(settings, runtime.key_ring))
    adapters.set(AuthPolicy, AuthPolicy.of(settings, tokens))
    adapters.set(PasswordHasher, hasher)
    adapters.set(Turns, Turns(settings.password_hash_queue))
    adapters.set(Providers, Providers(settings))
    adapters.set(Limiter, Limiter(settings))
    adapters.set(Mailer, CountedMailer(_mailer(settings)))  # pyright: ignore[reportAbstractUsage]
    store = LocalStore(settings.data_dir / "media", runtime.key_ring, settings.base_url, settings.media_base_url)
    adapters.set(ObjectStore, store)  # pyright: ignore[reportAbstractUsage]
    adapters.set(Payments, _payments(settings))  # pyright: ignore[reportAbstractUsage]
    adapters.set(Outgoing, Outgoing(runtime))
    adapters.set(Signatures, Signatures([item.get_secret_value() for item in settings.payments_webhook_secrets]))
    adapters.set(
        FeatureChecks,
        FeatureChecks({"payments": adapters.get(Outgoing).check, "intelligence": adapters.get(Intelligence).check}),
    )
    adapters.set(Readings, Readings(READINGS))
    catalog = Catalog(runtime.database.hot, runtime.broker)
    adapters.set(Catalog, catalog)
    adapters.set(Browser, Browser(runtime.database, catalog, runtime.cursors, FeedOrdering(adapters)))
    adapters.set(SearchEngine, PostgresEngine())  # pyright: ignore[reportAbstractUsage]
    keys_of_usage = UsageKeys(runtime.key_ring)
    adapters.set(UsageKeys, keys_of_usage)
    adapters.set(Recorder, Recorder(settings, runtime.unit_of_work, keys_of_usage, listings_viewing.facts))
    checker = SessionChecker(runtime.database.hot, adapters.get(AuthPolicy))
    adapters.set(SessionCheck, checker)  # pyright: ignore[reportAbstractUsage]
    adapters.set(ImpersonationLog, AuditedImpersonation())  # pyright: ignore[reportAbstractUsage]
    check = adapters.get(SessionCheck)  # pyright: ignore[reportAbstractUsage]
    adapters.set(Hub, Hub(settings, tokens, check, runtime.broker))
    chat_commands.plug_in(runtime, adapters.get(Hub))
    listing_watch.plug_in(runtime, adapters.get(Hub))
    reservations_live.plug_in(runtime, adapters.get(Hub))
    orders_live.plug_in(runtime, adapters.get(Hub))
    notifications_live.plug_in(runtime, adapters.get(Hub))
    return hasher
