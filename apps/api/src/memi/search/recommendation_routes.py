"""HTTP: recommendations."""

from typing import Annotated

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from pydantic import Field

from memi.platform.dependencies import QUERY_MODEL, App, Caller, query_of
from memi.platform.errors import NotAuthenticated, ValidationFailed
from memi.platform.limits import Limit, limited
from memi.platform.problems import problems
from memi.platform.ready_reply import JSON, ReadyReply
from memi.platform.validation import RequestModel
from memi.search.recommending import recommended
from memi.search.schemas import ListingCards


class RecommendationsQuery(RequestModel):
    limit: Annotated[int, Field(ge=1, le=100, description="How many items at most.")] = 24


@get(
    "/users/me/recommendations",
    guards=[limited(Limit.SUGGEST)],
    dependencies={"asked": query_of(RecommendationsQuery)},
    opt={QUERY_MODEL: RecommendationsQuery},
    responses={
        200: ResponseSpec(ListingCards, generate_examples=False, description="Cards, on one page."),
        **problems(NotAuthenticated, ValidationFailed),
    },
)
async def read_recommendations(asked: NamedDependency[RecommendationsQuery], caller: Caller, app: App) -> ReadyReply:
    """What one may like: by default the newest of the kinds of things one likes, then the newest of all."""
    body = await recommended(app, caller.user_id, asked.limit)
    return ReadyReply(
        body,
        [
            JSON,
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"private, no-store"),
            (b"vary", b"Authorization, Cookie, Accept-Encoding"),
        ],
    )


router = Router("", route_handlers=[read_recommendations], tags=["search"])
