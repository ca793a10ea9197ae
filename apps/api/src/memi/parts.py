"""Every feature's part in the process: one list per kind."""

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
from memi.analytics import readings as analytics_readings
from memi.analytics import routes as analytics_routes
from memi.audit import jobs as audit_jobs
from memi.audit import personal_data as audit_data
from memi.audit import readings as audit_readings
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
from memi.catalog import routes as catalog_routes
from memi.chat import erasing as chat_erasing
from memi.chat import flag_routes as chat_flag_routes
from memi.chat import handlers as chat_handlers
from memi.chat import jobs as chat_jobs
from memi.chat import personal_data as chat_data
from memi.chat import reviewing
from memi.chat import routes as chat_routes
from memi.favorites import personal_data as favorites_data
from memi.favorites import routes as favorites_routes
from memi.intelligence import jobs as intelligence_jobs
from memi.intelligence import personal_data as intelligence_data
from memi.listings import advice_routes, assessing, tagging
from memi.listings import handlers as listings_handlers
from memi.listings import jobs as listings_jobs
from memi.listings import personal_data as listings_data
from memi.listings import routes as listings_routes
from memi.listings import viewing as listings_viewing
from memi.listings.purging import Keeper
from memi.media import disposal as media_disposal
from memi.media import jobs as media_jobs
from memi.media import personal_data as media_data
from memi.media import routes as media_routes
from memi.notifications import fanout as notifications_fanout
from memi.notifications import handlers as notifications_handlers
from memi.notifications import mail_jobs as notifications_mail_jobs
from memi.notifications import personal_data as notifications_data
from memi.notifications import preference_routes as notifications_preference_routes
from memi.notifications import pruning as notifications_pruning
from memi.notifications import readings as notifications_readings
from memi.notifications import routes as notifications_routes
from memi.orders import handlers as orders_handlers
from memi.orders import jobs as orders_jobs
from memi.orders import payment_handlers, payment_jobs, webhook_routes
from memi.orders import personal_data as orders_data
from memi.orders import routes as orders_routes
from memi.platform import maintenance, readings, stored_replies
from memi.platform.personal_data import PersonalData
from memi.platform.readings import Reading
from memi.privacy import erasure as privacy_erasure
from memi.privacy import exports as privacy_exports
from memi.privacy import handlers as privacy_handlers
from memi.privacy import personal_data as privacy_data
from memi.privacy import routes as privacy_routes
from memi.realtime import routes as realtime_routes
from memi.recording import handlers as recording_handlers
from memi.reports import evidence_queries as reports_evidence
from memi.reports import personal_data as reports_data
from memi.reports import readings as reports_readings
from memi.reports import routes as reports_routes
from memi.reports import staff_routes as reports_staff_routes
from memi.reservations import handlers as reservations_handlers
from memi.reservations import jobs as reservations_jobs
from memi.reservations import personal_data as reservations_data
from memi.reservations import routes as reservations_routes
from memi.search import handlers as search_handlers
from memi.search import jobs as search_jobs
from memi.search import personal_data as search_data
from memi.search import recommendation_routes as search_recommending
from memi.search import replay_jobs as search_replay_jobs
from memi.search import replay_routes as search_replay_routes
from memi.search import routes as search_routes
from memi.usage import jobs as usage_jobs
from memi.usage import personal_data as usage_data
from memi.usage import routes as usage_routes
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
    chat_erasing,
    reservations_jobs,
    orders_jobs,
    payment_jobs,
    notifications_fanout,
    notifications_mail_jobs,
    notifications_pruning,
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

KEEPERS: list[Keeper] = [reports_evidence.KEEPER]
"""What must not be purged with listings yet, or not whole, though no foreign key says so."""

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

READINGS: list[Reading] = [
    readings.read_pools,
    readings.read_queue,
    notifications_readings.read_overdue,
    reports_readings.read_waiting,
    analytics_readings.read_age,
    audit_readings.read_length,
]
"""What is read when metrics are asked for; the process's own first, for they need no database."""
