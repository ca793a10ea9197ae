"""HTTP for staff: the audit log."""

from datetime import datetime
from uuid import UUID

from litestar import Router, get
from litestar.di import NamedDependency

from memi.admin import views
from memi.admin.refusals import COLLECTION
from memi.admin.schemas import AuditEntryRead, AuditQuery
from memi.audit import service as audit
from memi.audit.schemas import AuditFilter
from memi.platform.dependencies import QUERY_MODEL, App, Session, query_of, requires
from memi.platform.paging import Listed, listed, place_of
from memi.platform.permissions import Permission


@get(
    "/admin/audit",
    guards=[requires(Permission.AUDIT_READ)],
    dependencies={"asked": query_of(AuditQuery)},
    opt={QUERY_MODEL: AuditQuery},
    responses=COLLECTION,
)
async def read_audit(asked: NamedDependency[AuditQuery], app: App, session: Session) -> Listed[AuditEntryRead]:
    """What staff did, newest first."""
    place = place_of(app.cursors, "admin.audit", asked, (datetime, UUID))
    wanted = AuditFilter(asked.actor, asked.action, asked.target_type, asked.target_id, asked.impersonator)
    found = await audit.page(session, wanted, place)
    items = [views.audit_entry(entry) for entry in found.rows]
    return listed(app.cursors, place, found, items, lambda item: (item.at, item.id))


router = Router("", route_handlers=[read_audit], tags=["admin"])
