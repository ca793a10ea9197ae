"""HTTP: one's notifications."""

from uuid import UUID

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from memi.notifications import service
from memi.notifications.schemas import NotificationQuery, NotificationRead, UnreadCount
from memi.platform.cursors import Page
from memi.platform.dependencies import QUERY_MODEL, App, Caller, Session, query_of
from memi.platform.errors import InvalidCursor, NotAuthenticated, NotFound, ValidationFailed
from memi.platform.impersonation import IMPERSONATION, OpenTo
from memi.platform.problems import problems


@get(
    "/notifications",
    dependencies={"asked": query_of(NotificationQuery)},
    opt={QUERY_MODEL: NotificationQuery, IMPERSONATION: OpenTo.ALL},
    responses=problems(NotAuthenticated, ValidationFailed, InvalidCursor),
)
async def list_notifications(
    caller: Caller, app: App, session: Session, asked: NamedDependency[NotificationQuery]
) -> Page[NotificationRead]:
    """One's notifications, newest first; `unread=true` leaves out what was read."""
    return await service.inbox(
        session, app.cursors, caller.user_id, unread=asked.unread, cursor=asked.cursor, limit=asked.limit
    )


@get("/notifications/unread-count", opt={IMPERSONATION: OpenTo.ALL}, responses=problems(NotAuthenticated))
async def count_unread(caller: Caller, session: Session) -> UnreadCount:
    """How many are unread: exact up to 100, beyond that `count` stays 100 and `more` is true."""
    return await service.unread_count(session, caller.user_id)


@post("/notifications/{notification_id:uuid}/read", status_code=204, responses=problems(NotAuthenticated, NotFound))
async def read_notification(notification_id: FromPath[UUID], caller: Caller, session: Session) -> None:
    """Mark one as read. Doing it again changes nothing."""
    await service.mark_read(session, caller.user_id, notification_id)


@post("/notifications/read-all", status_code=204, responses=problems(NotAuthenticated))
async def read_all(caller: Caller, session: Session) -> None:
    """Mark everything one was told so far as read."""
    await service.mark_all_read(session, caller.user_id)


router = Router(
    "", route_handlers=[list_notifications, count_unread, read_notification, read_all], tags=["notifications"]
)
