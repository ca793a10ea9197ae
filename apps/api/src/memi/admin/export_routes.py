"""HTTP for administrators: tables as CSV."""

from typing import Any

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.response import Stream

from memi.admin import exports
from memi.admin.refusals import STAFF
from memi.admin.schemas import ExportQuery
from memi.audit import export_queries as audit_rows
from memi.listings import export_queries as listing_rows
from memi.platform.dependencies import (
    QUERY_MODEL,
    AnyRequest,
    Caller,
    Session,
    query_of,
    recently_proved,
    requires,
)
from memi.platform.errors import ServiceBusy, StepUpRequired, ValidationFailed
from memi.platform.limits import Limit, limited
from memi.platform.permissions import Permission
from memi.platform.problems import problems
from memi.platform.request_state import state_of
from memi.reports import export_queries as report_rows
from memi.users import export_queries as user_rows

Asked = NamedDependency[ExportQuery]


def _options(reads: Permission) -> dict[str, Any]:
    """Who takes a table away must be allowed to read it one by one as well."""
    return {
        "guards": [
            requires(Permission.DATA_EXPORT),
            requires(reads),
            recently_proved,
            limited(Limit.STAFF_EXPORT),
        ],
        "dependencies": {"asked": query_of(ExportQuery)},
        "opt": {QUERY_MODEL: ExportQuery},
        "responses": {
            200: ResponseSpec(str, generate_examples=False, media_type="text/csv", description="The table."),
            **problems(*STAFF, StepUpRequired, ServiceBusy, ValidationFailed),
        },
    }


@get("/admin/export/users.csv", **_options(Permission.USERS_READ))
async def export_users(asked: Asked, caller: Caller, session: Session, request: AnyRequest) -> Stream:
    """Accounts with the numbers kept of them, by when they were made. At most 250,000."""
    limit = state_of(request.scope).time_limit
    return await exports.begin(session, caller, "users", user_rows.accounts, asked, limit=limit)


@get("/admin/export/listings.csv", **_options(Permission.LISTINGS_MODERATE))
async def export_listings(asked: Asked, caller: Caller, session: Session, request: AnyRequest) -> Stream:
    """Listings in every status, by when they were made. At most 250,000. Prices in minor units."""
    limit = state_of(request.scope).time_limit
    return await exports.begin(session, caller, "listings", listing_rows.listings, asked, limit=limit)


@get("/admin/export/audit.csv", **_options(Permission.AUDIT_READ))
async def export_audit(asked: Asked, caller: Caller, session: Session, request: AnyRequest) -> Stream:
    """The audit log. At most 250,000 entries."""
    limit = state_of(request.scope).time_limit
    return await exports.begin(session, caller, "audit", audit_rows.entries, asked, limit=limit)


@get("/admin/export/reports.csv", **_options(Permission.REPORTS_HANDLE))
async def export_reports(asked: Asked, caller: Caller, session: Session, request: AnyRequest) -> Stream:
    """Reports with what was decided, by when they were made. At most 250,000."""
    limit = state_of(request.scope).time_limit
    return await exports.begin(session, caller, "reports", report_rows.reports, asked, limit=limit)


router = Router("", route_handlers=[export_users, export_listings, export_audit, export_reports], tags=["admin"])
