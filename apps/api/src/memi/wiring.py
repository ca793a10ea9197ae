"""Every feature's part in the process, one list per kind, and the adapter of every port."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module
from types import ModuleType

from litestar import Router

from memi.admin import access_routes as admin_access_routes
from memi.admin import accounts_routes as admin_accounts_routes
from memi.admin import audit_routes as admin_audit_routes
from memi.admin import bulk_routes as admin_bulk_routes
from memi.admin import category_jobs as admin_category_jobs
from memi.admin import category_routes as admin_category_routes
from memi.admin import export_routes as admin_export_routes
from memi.admin import impersonation_routes as admin_impersonation_routes
from memi.admin import job_routes as admin_job_routes
from memi.admin import listing_routes as admin_listing_routes
from memi.admin import user_routes as admin_user_routes
from memi.analytics import jobs as analytics_jobs
from memi.analytics import personal_data as analytics_data
from memi.analytics import routes as analytics_routes
from memi.audit import jobs as audit_jobs
from memi.audit import personal_data as audit_data
from memi.auth import account_routes as auth_account_routes
from memi.auth import handlers as auth_handlers
from memi.auth import impersonation_jobs as auth_impersonation_jobs
from memi.auth import jobs as auth_jobs
from memi.auth import lockout as auth_lockout
from memi.auth import mfa_jobs as auth_mfa_jobs
from memi.auth import mfa_routes as auth_mfa_routes
from memi.auth import oauth_jobs as auth_oauth_jobs
from memi.auth import oauth_routes as auth_oauth_routes
from memi.auth import personal_data as auth_data
from memi.auth import routes as auth_routes
from memi.auth import session_routes as auth_session_routes
from memi.auth.impersonation import AuditedImpersonation
from memi.auth.lockout import Turns
from memi.auth.oauth_providers import Providers
from memi.auth.passwords import PasswordHasher
from memi.auth.policy import AuthPolicy
from memi.auth.session_check import SessionChecker
from memi.catalog import routes as catalog_routes
from memi.catalog import seeding
from memi.catalog.service import Catalog
from memi.chat import commands as chat_commands
from memi.chat import flag_routes as chat_flag_routes
from memi.chat import handlers as chat_handlers
from memi.chat import jobs as chat_jobs
from memi.chat import listing_watch, reviewing
from memi.chat import personal_data as chat_data
from memi.chat import routes as chat_routes
from memi.favorites import personal_data as favorites_data
from memi.favorites import routes as favorites_routes
from memi.intelligence import jobs as intelligence_jobs
from memi.intelligence import personal_data as intelligence_data
from memi.intelligence import plugins
from memi.intelligence.buffer import VerdictBuffer
from memi.intelligence.service import Intelligence
from memi.listings import advice_routes, assessing, tagging
from memi.listings import handlers as listings_handlers
from memi.listings import jobs as listings_jobs
from memi.listings import personal_data as listings_data
from memi.listings import routes as listings_routes
from memi.listings import viewing as listings_viewing
from memi.media import disposal as media_disposal
from memi.media import jobs as media_jobs
from memi.media import personal_data as media_data
from memi.media import routes as media_routes
from memi.media.local_store import LocalStore
from memi.media.processing_pool import ImagePool
from memi.media.store import ObjectStore
from memi.notifications import fanout as notifications_fanout
from memi.notifications import handlers as notifications_handlers
from memi.notifications import live as notifications_live
from memi.notifications import mail_jobs as notifications_mail_jobs
from memi.notifications import personal_data as notifications_data
from memi.notifications import preference_routes as notifications_preference_routes
from memi.notifications import routes as notifications_routes
from memi.orders import handlers as orders_handlers
from memi.orders import jobs as orders_jobs
from memi.orders import live as orders_live
from memi.orders import payment_handlers, payment_jobs, webhook_routes
from memi.orders import personal_data as orders_data
from memi.orders import routes as orders_routes
from memi.orders.outgoing import Outgoing
from memi.orders.payments import NoPayments, Payments, payments_of
from memi.orders.payments_http import HttpPayments
from memi.orders.webhooks import Signatures
from memi.platform import maintenance, stored_replies
from memi.platform.adapters import Adapters
from memi.platform.browser import BrowserCookies
from memi.platform.cursors import CursorSigner
from memi.platform.database import connect
from memi.platform.events import EventBus
from memi.platform.health import FeatureChecks
from memi.platform.impersonation import ImpersonationLog
from memi.platform.keyring import KeyRing, load_key_ring
from memi.platform.limits import Limiter
from memi.platform.mail import Mailer
from memi.platform.mail_folder import FolderMailer, mail_folder
from memi.platform.mail_smtp import SmtpMailer
from memi.platform.personal_data import PersonalData, PersonalDataRegistry
from memi.platform.principal import AccessTokens, SessionCheck
from memi.platform.pubsub import Broker
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.platform.signing_keys import PublishedKeys, load_signing_keys
from memi.platform.unit_of_work import UnitOfWork
from memi.privacy import erasure as privacy_erasure
from memi.privacy import exports as privacy_exports
from memi.privacy import handlers as privacy_handlers
from memi.privacy import personal_data as privacy_data
from memi.privacy import routes as privacy_routes
from memi.realtime import routes as realtime_routes
from memi.realtime.hub import Hub
from memi.recording import handlers as recording_handlers
from memi.reports import personal_data as reports_data
from memi.reports import routes as reports_routes
from memi.reports import staff_routes as reports_staff_routes
from memi.reservations import handlers as reservations_handlers
from memi.reservations import jobs as reservations_jobs
from memi.reservations import live as reservations_live
from memi.reservations import personal_data as reservations_data
from memi.reservations import routes as reservations_routes
from memi.search import handlers as search_handlers
from memi.search import jobs as search_jobs
from memi.search import personal_data as search_data
from memi.search import recommendation_routes as search_recommending
from memi.search import replay_jobs as search_replay_jobs
from memi.search import replay_routes as search_replay_routes
from memi.search import routes as search_routes
from memi.search.engine import PostgresEngine, SearchEngine
from memi.search.feed import FeedOrdering
from memi.search.service import Browser
from memi.usage import jobs as usage_jobs
from memi.usage import personal_data as usage_data
from memi.usage import routes as usage_routes
from memi.usage.keys import UsageKeys
from memi.usage.recorder import Recorder
from memi.users import personal_data as users_data
from memi.users import routes as users_routes

ROUTERS: list[Router] = [
    auth_routes.router,
    auth_session_routes.router,
    auth_account_routes.router,
    auth_oauth_routes.router,
    auth_mfa_routes.router,
    users_routes.router,
    usage_routes.router,
    notifications_routes.router,
    notifications_preference_routes.router,
    catalog_routes.router,
    media_routes.router,
    listings_routes.router,
    advice_routes.router,
    favorites_routes.router,
    search_routes.router,
    search_replay_routes.router,
    search_recommending.router,
    chat_routes.router,
    chat_flag_routes.router,
    realtime_routes.router,
    privacy_routes.router,
    reservations_routes.router,
    orders_routes.router,
    webhook_routes.router,
    reports_routes.router,
    reports_staff_routes.router,
    admin_listing_routes.router,
    admin_user_routes.router,
    admin_audit_routes.router,
    admin_job_routes.router,
    admin_bulk_routes.router,
    admin_category_routes.router,
    admin_export_routes.router,
    admin_accounts_routes.router,
    admin_access_routes.router,
    analytics_routes.router,
    admin_impersonation_routes.router,
]
"""Everything below `/api/v1`."""

HANDLERS: list[ModuleType] = [
    auth_handlers,
    listings_handlers,
    assessing,
    tagging,
    chat_handlers,
    reviewing,
    search_handlers,
    orders_handlers,
    payment_handlers,
    reservations_handlers,
    notifications_handlers,
    recording_handlers,
    privacy_handlers,
]
"""Modules whose `@in_transaction` and `@durable` functions listen to events; with `ASKS`, while plug-ins are there."""

JOBS: list[ModuleType] = [
    maintenance,
    media_disposal,
    media_jobs,
    audit_jobs,
    intelligence_jobs,
    auth_oauth_jobs,
    auth_jobs,
    auth_mfa_jobs,
    auth_impersonation_jobs,
    auth_lockout,
    listings_jobs,
    listings_viewing,
    usage_jobs,
    search_jobs,
    search_replay_jobs,
    admin_category_jobs,
    chat_jobs,
    reservations_jobs,
    orders_jobs,
    payment_jobs,
    notifications_fanout,
    notifications_mail_jobs,
    privacy_erasure,
    privacy_exports,
    analytics_jobs,
]
"""Modules whose `@job` and `@recurring` functions a worker runs."""

PERSONAL_DATA: list[PersonalData] = [
    privacy_data.PERSONAL_DATA,
    analytics_data.PERSONAL_DATA,
    search_data.PERSONAL_DATA,
    notifications_data.PERSONAL_DATA,
    reports_data.PERSONAL_DATA,
    orders_data.PERSONAL_DATA,
    reservations_data.PERSONAL_DATA,
    chat_data.PERSONAL_DATA,
    favorites_data.PERSONAL_DATA,
    listings_data.PERSONAL_DATA,
    auth_data.PERSONAL_DATA,
    users_data.PERSONAL_DATA,
    media_data.PERSONAL_DATA,
    intelligence_data.PERSONAL_DATA,
    audit_data.PERSONAL_DATA,
    usage_data.PERSONAL_DATA,
    stored_replies.PERSONAL_DATA,
]
"""What each feature keeps of people; it is erased in this order, the higher features first."""

MODELS: list[str] = [
    "platform.job_queue",
    "platform.idempotency_queries",
    "users.models",
    "auth.models",
    "auth.oauth_models",
    "auth.impersonation_models",
    "catalog.models",
    "media.models",
    "intelligence.models",
    "audit.models",
    "usage.models",
    "listings.models",
    "search.models",
    "favorites.models",
    "chat.models",
    "reservations.models",
    "orders.models",
    "orders.payment_models",
    "reports.models",
    "notifications.models",
    "privacy.models",
    "analytics.models",
]
"""Modules that define tables."""


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
    adapters.set(AccessTokens, tokens)
    adapters.set(PublishedKeys, PublishedKeys(keys))
    adapters.set(BrowserCookies, BrowserCookies(settings, runtime.key_ring))
    adapters.set(AuthPolicy, AuthPolicy.of(settings, tokens))
    adapters.set(PasswordHasher, hasher)
    adapters.set(Turns, Turns(settings.password_hash_queue))
    adapters.set(Providers, Providers(settings))
    adapters.set(Limiter, Limiter(settings))
    adapters.set(Mailer, _mailer(settings))  # pyright: ignore[reportAbstractUsage]
    store = LocalStore(settings.data_dir / "media", runtime.key_ring, settings.base_url, settings.media_base_url)
    adapters.set(ObjectStore, store)  # pyright: ignore[reportAbstractUsage]
    adapters.set(Payments, _payments(settings))  # pyright: ignore[reportAbstractUsage]
    adapters.set(Outgoing, Outgoing(runtime))
    adapters.set(Signatures, Signatures([item.get_secret_value() for item in settings.payments_webhook_secrets]))
    adapters.set(
        FeatureChecks,
        FeatureChecks({"payments": adapters.get(Outgoing).check, "intelligence": adapters.get(Intelligence).check}),
    )
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
