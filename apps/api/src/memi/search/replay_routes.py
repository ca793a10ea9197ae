"""HTTP for administrators: rebuilding what searches read."""

from uuid import UUID

from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody

from memi.audit import service as audit
from memi.platform.dependencies import Caller, Session, requires
from memi.platform.errors import NotAuthenticated, NotFound, PermissionDenied, ServiceBusy, ValidationFailed
from memi.platform.permissions import Permission
from memi.platform.problems import problems
from memi.search import replay_jobs, replaying
from memi.search.errors import ReplayUnderWay
from memi.search.models import SearchReplay
from memi.search.replay_schemas import ReplayRead, ReplayRequest

_MAY = requires(Permission.SEARCH_REPLAY)
_STAFF = (NotAuthenticated, PermissionDenied)


def _read(replay: SearchReplay) -> ReplayRead:
    status = "DONE" if replay.finished_at is not None else "RUNNING" if replay.handled else "QUEUED"
    return ReplayRead(
        id=replay.id,
        scope=replay.scope,
        since=replay.since,
        status=status,
        handled=replay.handled,
        estimated_total=replay.estimated,
        created_at=replay.created_at,
        finished_at=replay.finished_at,
    )


@post(
    "/search/index/replay",
    status_code=202,
    guards=[_MAY],
    responses=problems(*_STAFF, ReplayUnderWay, ServiceBusy, ValidationFailed),
)
async def replay_index(data: JSONBody[ReplayRequest], caller: Caller, session: Session) -> Response[ReplayRead]:
    """Rebuild what browsing and searching read, while it is read. Ask at `Location` how far it is."""
    replay_id = await replaying.begin(session, data.scope, since=data.since, listing_ids=data.listing_ids)
    await replay_jobs.start(session, replay_id)
    asked = {"scope": data.scope, "since": data.since, "listings": len(data.listing_ids or ())}
    await audit.record(session, caller, "search.replay", "SEARCH", replay_id, after=asked)
    shown = _read(await replaying.read(session, replay_id))
    return Response(shown, headers={"Location": f"/api/v1/search/index/replay/{replay_id}"})


@get("/search/index/replay/{replay_id:uuid}", guards=[_MAY], responses=problems(*_STAFF, NotFound))
async def read_replay(replay_id: FromPath[UUID], session: Session) -> ReplayRead:
    """How far a rebuilding is. Finished ones are forgotten after 30 days."""
    return _read(await replaying.read(session, replay_id))


router = Router("", route_handlers=[replay_index, read_replay], tags=["search"])
