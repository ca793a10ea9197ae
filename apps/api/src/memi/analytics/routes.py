"""HTTP: numbers for those who run the place."""

from typing import Any
from zlib import crc32

import msgspec
from litestar import Request, Router, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from memi.analytics import service
from memi.analytics.schemas import AnalyticsQuery, AnalyticsRead, CohortsRead, FunnelQuery, FunnelRead, WindowQuery
from memi.platform.dependencies import QUERY_MODEL, Session, query_of, requires
from memi.platform.errors import NotAuthenticated, PermissionDenied, ValidationFailed
from memi.platform.permissions import Permission
from memi.platform.problems import problems
from memi.platform.ready_reply import Headers, ReadyReply, conditional

AnyRequest = Request[Any, Any, State]
_GUARDS = [requires(Permission.ANALYTICS_READ)]
_REFUSALS = problems(NotAuthenticated, PermissionDenied, ValidationFailed)
_PRIVATE: Headers = [
    (b"cache-control", b"private, no-store"),
    (b"vary", b"Authorization, Cookie, Accept-Encoding"),
]


def _reply(request: AnyRequest, found: msgspec.Struct) -> ReadyReply:
    body = msgspec.json.encode(found)
    return conditional(request.scope, body, _PRIVATE, b'"%x-%x"' % (len(body), crc32(body)))


@get(
    "/admin/analytics",
    guards=_GUARDS,
    dependencies={"asked": query_of(AnalyticsQuery)},
    opt={QUERY_MODEL: AnalyticsQuery},
    responses={200: ResponseSpec(AnalyticsRead, generate_examples=False, description="The numbers."), **_REFUSALS},
)
async def read_analytics(asked: NamedDependency[AnalyticsQuery], request: AnyRequest, session: Session) -> ReadyReply:
    """People, listings, chats, deals, sell-through and what is looked for, of up to 400 days, counted beforehand."""
    return _reply(request, await service.overview(session, asked))


@get(
    "/admin/analytics/cohorts",
    guards=_GUARDS,
    dependencies={"asked": query_of(WindowQuery)},
    opt={QUERY_MODEL: WindowQuery},
    responses={200: ResponseSpec(CohortsRead, generate_examples=False, description="Weeks."), **_REFUSALS},
)
async def read_cohorts(asked: NamedDependency[WindowQuery], request: AnyRequest, session: Session) -> ReadyReply:
    """People by the week in which they signed up, and how many of them were here in each week since."""
    return _reply(request, await service.cohorts(session, asked))


@get(
    "/admin/analytics/funnel",
    guards=_GUARDS,
    dependencies={"asked": query_of(FunnelQuery)},
    opt={QUERY_MODEL: FunnelQuery},
    responses={200: ResponseSpec(FunnelRead, generate_examples=False, description="The steps."), **_REFUSALS},
)
async def read_funnel(asked: NamedDependency[FunnelQuery], request: AnyRequest, session: Session) -> ReadyReply:
    """Listings first shown in these days: listed, contacted, reserved and sold within 30 days."""
    return _reply(request, await service.funnel(session, asked))


router = Router("", route_handlers=[read_analytics, read_cohorts, read_funnel], tags=["admin"])
