"""HTTP: liking listings."""

from uuid import UUID

from litestar import Router, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from memi.favorites import service
from memi.favorites.schemas import FavoriteRead, FavoritesQuery
from memi.platform.cursors import Page
from memi.platform.dependencies import QUERY_MODEL, App, Caller, Session, query_of
from memi.platform.errors import InvalidCursor, NotAuthenticated, NotFound, ValidationFailed
from memi.platform.impersonation import IMPERSONATION, OpenTo
from memi.platform.permissions import Permission
from memi.platform.problems import problems


@put(
    "/listings/{listing_id:uuid}/favorite",
    status_code=204,
    opt={IMPERSONATION: OpenTo.ALL},
    responses=problems(NotAuthenticated, NotFound),
)
async def add_favorite(listing_id: FromPath[UUID], caller: Caller, session: Session) -> None:
    """Like a listing; doing so again changes nothing."""
    await service.add(session, caller.user_id, listing_id, staff=caller.may(Permission.LISTINGS_MODERATE))


@delete(
    "/listings/{listing_id:uuid}/favorite",
    status_code=204,
    opt={IMPERSONATION: OpenTo.ALL},
    responses=problems(NotAuthenticated, NotFound),
)
async def remove_favorite(listing_id: FromPath[UUID], caller: Caller, session: Session) -> None:
    """Like a listing no more; doing so again changes nothing."""
    await service.drop(session, caller.user_id, listing_id, staff=caller.may(Permission.LISTINGS_MODERATE))


@get(
    "/users/me/favorites",
    dependencies={"asked": query_of(FavoritesQuery)},
    opt={QUERY_MODEL: FavoritesQuery, IMPERSONATION: OpenTo.ALL},
    responses=problems(NotAuthenticated, InvalidCursor, ValidationFailed),
)
async def list_favorites(
    asked: NamedDependency[FavoritesQuery], caller: Caller, session: Session, app: App
) -> Page[FavoriteRead]:
    """One's own favourites, the latest first."""
    return await service.page(session, app.cursors, caller.user_id, asked.cursor, asked.limit)


router = Router("", route_handlers=[add_favorite, remove_favorite, list_favorites], tags=["favorites"])
