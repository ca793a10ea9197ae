"""HTTP for moderators: messages that rules or plug-ins flagged."""

from uuid import UUID

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from memi.chat import flags
from memi.chat.errors import FlagIsResolved, NotImpartial
from memi.chat.flag_schemas import FlaggedMessage, FlagQuery, FlagResolution, MessageFlagRead
from memi.platform.cursors import Page
from memi.platform.dependencies import QUERY_MODEL, App, Caller, Session, query_of, requires
from memi.platform.errors import AppError, InvalidCursor, NotAuthenticated, NotFound, PermissionDenied, ValidationFailed
from memi.platform.permissions import Permission
from memi.platform.problems import problems

_GUARDS = [requires(Permission.REPORTS_HANDLE)]
_STAFF: tuple[type[AppError], ...] = (NotAuthenticated, PermissionDenied)
_ONE = (*_STAFF, NotFound, NotImpartial, FlagIsResolved)


@get(
    "/admin/message-flags",
    guards=_GUARDS,
    dependencies={"asked": query_of(FlagQuery)},
    opt={QUERY_MODEL: FlagQuery},
    responses=problems(*_STAFF, InvalidCursor, ValidationFailed),
)
async def find_message_flags(asked: NamedDependency[FlagQuery], app: App, session: Session) -> Page[MessageFlagRead]:
    """Flagged messages, the oldest first; by default those that nobody has dealt with. Their words are not in it."""
    return await flags.queue(session, app.cursors, asked)


@get("/admin/message-flags/{flag_id:uuid}/message", guards=_GUARDS, responses=problems(*_ONE))
async def look_at_message(flag_id: FromPath[UUID], caller: Caller, session: Session) -> FlaggedMessage:
    """The one message that was flagged, while the flag is open. Each look is audited."""
    return await flags.look(session, caller, flag_id)


@post(
    "/admin/message-flags/{flag_id:uuid}/resolve",
    status_code=200,
    guards=_GUARDS,
    responses=problems(*_ONE, ValidationFailed),
)
async def resolve_message_flag(
    flag_id: FromPath[UUID], data: JSONBody[FlagResolution], caller: Caller, session: Session
) -> MessageFlagRead:
    """The flag has been dealt with, whatever was done about it."""
    return await flags.resolve(session, caller, flag_id, data)


router = Router("", route_handlers=[find_message_flags, look_at_message, resolve_message_flag], tags=["moderation"])
