"""HTTP: one's sessions."""

from uuid import UUID

from litestar import Router, delete, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath

from memi.auth import sessions
from memi.auth.replies import forget_cookies
from memi.auth.schemas import SessionQuery, SessionRead
from memi.platform.cursors import Page
from memi.platform.dependencies import (
    ENROLMENT,
    QUERY_MODEL,
    AnyRequest,
    App,
    Caller,
    Connection,
    Session,
    checked_principal,
    query_of,
    recently_proved,
)
from memi.platform.errors import InvalidCursor, NotAuthenticated, NotFound, StepUpRequired, ValidationFailed
from memi.platform.problems import problems


async def proved_for_others(connection: Connection, handler: BaseRouteHandler) -> None:
    """A route guard: whoever ends another session than their own proved lately who they are, else `StepUpRequired`."""
    principal = await checked_principal(connection)
    if connection.path_params["session_id"] != principal.session_id:
        await recently_proved(connection, handler)


@get(
    "/auth/sessions",
    dependencies={"asked": query_of(SessionQuery)},
    opt={QUERY_MODEL: SessionQuery},
    responses=problems(NotAuthenticated, ValidationFailed, InvalidCursor),
)
async def list_sessions(
    caller: Caller, app: App, session: Session, asked: NamedDependency[SessionQuery]
) -> Page[SessionRead]:
    """Where one is signed in, the newest first."""
    return await sessions.list_sessions(
        session, app.cursors, caller.user_id, caller.session_id, cursor=asked.cursor, limit=asked.limit
    )


@delete(
    "/auth/sessions/{session_id:uuid}",
    guards=[proved_for_others],
    responses=problems(NotAuthenticated, StepUpRequired, NotFound),
)
async def end_session(session_id: FromPath[UUID], caller: Caller, session: Session) -> None:
    """End one of one's sessions: its tokens stop at once and its sockets close within 2 seconds.

    Who ends another than the one that asks must have proved lately who they are.
    """
    await sessions.end_one(session, caller.user_id, session_id)


@post(
    "/auth/logout-all",
    status_code=204,
    guards=[recently_proved],
    responses=problems(NotAuthenticated, StepUpRequired),
)
async def logout_everywhere(caller: Caller, request: AnyRequest, session: Session) -> None:
    """End all of one's sessions, this one too. Who one is must have been proved lately."""
    await sessions.end_all(session, caller.user_id, "logout_all")
    forget_cookies(request)


router = Router(
    "",
    route_handlers=[list_sessions, end_session, logout_everywhere],
    tags=["auth"],
    opt={ENROLMENT: True},
)
