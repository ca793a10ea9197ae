"""HTTP for staff: one deed done to many."""

from litestar import Router, post
from litestar.params import JSONBody

from memi.admin import bulk
from memi.admin.bulk_schemas import BulkDone, BulkListings, BulkUsers
from memi.admin.refusals import STAFF
from memi.platform.dependencies import Caller, Session, recently_proved, requires
from memi.platform.errors import StepUpRequired, ValidationFailed
from memi.platform.permissions import Permission
from memi.platform.problems import problems


@post(
    "/admin/bulk/listings",
    status_code=200,
    guards=[requires(Permission.LISTINGS_MODERATE)],
    responses=problems(*STAFF, ValidationFailed),
)
async def bulk_listings(data: JSONBody[BulkListings], caller: Caller, session: Session) -> BulkDone:
    """Remove, restore, or resolve all flags of up to 100 listings. Each has its own outcome."""
    return await bulk.do_to_listings(session, caller, data)


@post(
    "/admin/bulk/users",
    status_code=200,
    guards=[requires(Permission.USERS_BLOCK), recently_proved],
    responses=problems(*STAFF, StepUpRequired, ValidationFailed),
)
async def bulk_users(data: JSONBody[BulkUsers], caller: Caller, session: Session) -> BulkDone:
    """Block or unblock up to 100 accounts. Each has its own outcome."""
    return await bulk.do_to_users(session, caller, data)


router = Router("", route_handlers=[bulk_listings, bulk_users], tags=["admin"])
