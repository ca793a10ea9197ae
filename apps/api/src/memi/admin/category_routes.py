"""HTTP for administrators: the tree of categories."""

from litestar import Response, Router, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody

from memi.admin import categories
from memi.admin.refusals import DEED, STAFF
from memi.catalog.editing_schemas import (
    CategoryCreate,
    CategoryDeletion,
    CategoryGone,
    CategoryUpdate,
    EditedCategory,
)
from memi.catalog.errors import (
    CategoryHasChildren,
    CategoryInUse,
    CategoryIsMoving,
    CategoryIsTarget,
    SlugTaken,
    TooManyCategories,
)
from memi.platform.dependencies import QUERY_MODEL, Caller, IfMatch, Session, query_of, requires
from memi.platform.errors import NotFound, StaleVersion, ValidationFailed
from memi.platform.etags import tagged
from memi.platform.permissions import Permission
from memi.platform.problems import problems

_MAY = requires(Permission.CATALOG_WRITE)


@post(
    "/admin/categories",
    guards=[_MAY],
    responses=problems(*STAFF, SlugTaken, TooManyCategories, ValidationFailed),
)
async def create_category(data: JSONBody[CategoryCreate], caller: Caller, session: Session) -> Response[EditedCategory]:
    """Add a category with its own attributes; it inherits those above it."""
    made = await categories.create(session, caller, data)
    return tagged(made, made.version, status_code=201, Location=f"/api/v1/categories/{made.slug}")


@get("/admin/categories/{slug:str}", guards=[_MAY], responses=problems(*STAFF, NotFound))
async def read_edited_category(slug: FromPath[str], session: Session) -> Response[EditedCategory]:
    """A category as it is stored: its own attributes, without those it inherits."""
    found = await categories.read(session, slug)
    return tagged(found, found.version)


@patch(
    "/admin/categories/{slug:str}",
    guards=[_MAY],
    responses=problems(*DEED, CategoryIsMoving, StaleVersion),
)
async def change_category(
    slug: FromPath[str], data: JSONBody[CategoryUpdate], caller: Caller, session: Session, if_match: IfMatch
) -> Response[EditedCategory]:
    """Change a category by JSON merge patch, or move it with all below it. What listings show follows soon."""
    changed = await categories.change(session, caller, slug, data, if_match)
    return tagged(changed, changed.version)


@delete(
    "/admin/categories/{slug:str}",
    status_code=200,
    guards=[_MAY],
    dependencies={"asked": query_of(CategoryDeletion)},
    opt={QUERY_MODEL: CategoryDeletion},
    responses={
        **problems(*DEED, CategoryHasChildren, CategoryInUse, CategoryIsTarget, StaleVersion),
        202: ResponseSpec(CategoryGone, generate_examples=False, description="Listings are still being moved."),
    },
)
async def delete_category(
    slug: FromPath[str],
    asked: NamedDependency[CategoryDeletion],
    caller: Caller,
    session: Session,
    if_match: IfMatch,
) -> Response[CategoryGone]:
    """Delete a category without any within it. Listings in it, in whatever status, go to the leaf `move_to`."""
    gone = await categories.delete(session, caller, slug, asked, if_match)
    return Response(gone, status_code=200 if gone.status == "DELETED" else 202)


router = Router(
    "", route_handlers=[create_category, read_edited_category, change_category, delete_category], tags=["admin"]
)
