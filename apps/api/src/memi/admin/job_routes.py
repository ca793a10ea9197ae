"""HTTP for staff: jobs that failed as often as they may."""

from datetime import datetime
from uuid import UUID

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from memi.admin import dead_jobs, views
from memi.admin.refusals import COLLECTION, STAFF
from memi.admin.schemas import DeadJobRead, JobQuery, ManyJobs, ManyJobsDone
from memi.platform import job_queue
from memi.platform.dependencies import QUERY_MODEL, App, Caller, Session, query_of, recently_proved, requires
from memi.platform.errors import NotFound, StepUpRequired, ValidationFailed
from memi.platform.paging import Listed, listed, place_of
from memi.platform.permissions import Permission
from memi.platform.problems import problems

_MAY = requires(Permission.JOBS_MANAGE)


@get(
    "/admin/jobs/dead",
    guards=[_MAY],
    dependencies={"asked": query_of(JobQuery)},
    opt={QUERY_MODEL: JobQuery},
    responses=COLLECTION,
)
async def find_dead_jobs(asked: NamedDependency[JobQuery], app: App, session: Session) -> Listed[DeadJobRead]:
    """Jobs that failed as often as they may, newest first."""
    place = place_of(app.cursors, "admin.jobs.dead", asked, (datetime, UUID))
    found = await job_queue.dead_jobs(session, asked.name, place)
    items = [views.dead_job(job) for job in found.rows]
    return listed(app.cursors, place, found, items, lambda item: (item.died_at, item.id))


@post(
    "/admin/jobs/dead/{job_id:uuid}/retry",
    status_code=200,
    guards=[_MAY],
    responses=problems(*STAFF, NotFound),
)
async def retry_dead_job(job_id: FromPath[UUID], caller: Caller, session: Session) -> DeadJobRead:
    """Queue it again, its attempts counted afresh."""
    return views.dead_job(await dead_jobs.retry(session, caller, job_id))


@post(
    "/admin/jobs/dead/{job_id:uuid}/discard",
    status_code=200,
    guards=[_MAY, recently_proved],
    responses=problems(*STAFF, StepUpRequired, NotFound),
)
async def discard_dead_job(job_id: FromPath[UUID], caller: Caller, session: Session) -> DeadJobRead:
    """Forget it; the audit log keeps that it was."""
    return views.dead_job(await dead_jobs.discard(session, caller, job_id))


@post(
    "/admin/jobs/dead/retry",
    status_code=200,
    guards=[_MAY],
    responses=problems(*STAFF, ValidationFailed),
)
async def retry_dead_jobs(data: JSONBody[ManyJobs], caller: Caller, session: Session) -> ManyJobsDone:
    """Queue the longest dead jobs of one name again, at most 500 at a time; `more` says whether others are left."""
    return ManyJobsDone(*await dead_jobs.retry_many(session, caller, data.name, data.reason))


@post(
    "/admin/jobs/dead/discard",
    status_code=200,
    guards=[_MAY, recently_proved],
    responses=problems(*STAFF, StepUpRequired, ValidationFailed),
)
async def discard_dead_jobs(data: JSONBody[ManyJobs], caller: Caller, session: Session) -> ManyJobsDone:
    """Forget the longest dead jobs of one name, at most 500 at a time; the audit log keeps how many."""
    return ManyJobsDone(*await dead_jobs.discard_many(session, caller, data.name, data.reason))


router = Router(
    "",
    route_handlers=[find_dead_jobs, retry_dead_job, discard_dead_job, retry_dead_jobs, discard_dead_jobs],
    tags=["admin"],
)
