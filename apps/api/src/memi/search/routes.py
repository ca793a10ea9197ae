"""HTTP: finding and reading listings. The hot routes take the request alone and answer with ready bytes."""

import re
from typing import Any
from urllib.parse import unquote_to_bytes
from zlib import crc32

from litestar import Request, Router, get
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec

from memi.platform.dependencies import (
    QUERY_MODEL,
    READS_VIEWER,
    Id,
    checked_principal,
    principal_of,
    provide_session,
    runtime_of,
)
from memi.platform.errors import InvalidCursor, NotFound, ValidationFailed
from memi.platform.impersonation import IMPERSONATION, OpenTo
from memi.platform.limits import Limit, limited
from memi.platform.paging import Listed, PageTooDeep
from memi.platform.problems import problems
from memi.platform.ready_reply import JSON, Headers, ReadyReply, conditional
from memi.search import service, sightings
from memi.search.filters import read_arrival, read_seller_query
from memi.search.schemas import ListingArrival, ListingCardRead, ListingFilter, ListingPageRead, SellerListingsFilter
from memi.search.service import Browser
from memi.usage.recorder import Recorder

AnyRequest = Request[Any, Any, State]
_COSTLY = re.compile(rb"(?:^|&)(?:q|page|total)=").search
_VARY = (b"vary", b"Authorization, Cookie, Accept-Encoding")
_PUBLIC: Headers = [(b"cache-control", b"public, max-age=5, stale-while-revalidate=30"), _VARY]
_PRIVATE: Headers = [(b"cache-control", b"private, no-store"), _VARY]
_NONE: Headers = []


def _cards_reply(request: AnyRequest, body: bytes, *, anonymous: bool, more: Headers = _NONE) -> ReadyReply:
    if not anonymous:
        return ReadyReply(body, [JSON, (b"content-length", b"%d" % len(body)), *_PRIVATE, *more])
    return conditional(request.scope, body, [*_PUBLIC, *more], b'"%x-%x"' % (len(body), crc32(body)))


def _costs(scope: Any) -> bool:
    """Whether it is more than browsing on from a cursor: words, a page by number, or how many there are."""
    asked = scope["query_string"]
    return _COSTLY(unquote_to_bytes(asked) if b"%" in asked else asked) is not None


@get(
    "/listings",
    guards=[limited(Limit.SEARCH, when=_costs)],
    opt={QUERY_MODEL: ListingFilter, READS_VIEWER: True, IMPERSONATION: OpenTo.ALL},
    responses={
        200: ResponseSpec(Listed[ListingCardRead], generate_examples=False, description="Cards."),
        **problems(ValidationFailed, InvalidCursor, PageTooDeep),
    },
)
async def browse_listings(request: AnyRequest) -> ReadyReply:
    """Browse and search what is for sale: cards, each once, however many are added meanwhile.

    By `cursor`, or by `page`, which may show a card twice, or not at all, when others are added meanwhile. A page's
    `next_cursor` goes on where it ends. `relevance` ends after 1,000 cards either way; `total` counts beyond.
    The first page of a search for words carries `X-Search-Id`, which `GET /listings/{listing_id}` takes as `search_id`.
    """
    viewer = principal_of(request)
    viewer_id = viewer.user_id if viewer else None
    adapters = runtime_of(request).adapters
    browser = adapters.get(Browser)
    plan = await browser.plan(request.scope["query_string"])
    body = await browser.listings(plan, viewer_id)
    if not plan.words or not plan.is_first:
        return _cards_reply(request, body, anonymous=viewer is None)
    search_id = sightings.search(adapters.get(Recorder), request.scope, viewer, plan, body)
    return _cards_reply(request, body, anonymous=viewer is None, more=[(b"x-search-id", str(search_id).encode())])


@get(
    "/users/{user_id:uuid}/listings",
    guards=[limited(Limit.SEARCH, when=_costs)],
    opt={QUERY_MODEL: SellerListingsFilter, READS_VIEWER: True, IMPERSONATION: OpenTo.ALL},
    responses={
        200: ResponseSpec(Listed[ListingCardRead], generate_examples=False, description="Cards."),
        **problems(NotFound, ValidationFailed, InvalidCursor, PageTooDeep),
    },
)
async def list_seller_listings(user_id: Id, request: AnyRequest) -> ReadyReply:
    """What a person has for sale, the newest first."""
    viewer = principal_of(request)
    plan = read_seller_query(request.scope["query_string"].decode("latin-1"), user_id)
    body = await runtime_of(request).adapters.get(Browser).listings(plan, viewer.user_id if viewer else None)
    if plan.cursor is None and service.is_empty(body):
        await service.require_seller(provide_session(request), user_id)
    return _cards_reply(request, body, anonymous=viewer is None)


@get(
    "/listings/{listing_id:uuid}",
    opt={QUERY_MODEL: ListingArrival, READS_VIEWER: True, IMPERSONATION: OpenTo.ALL},
    responses={
        200: ResponseSpec(ListingPageRead, generate_examples=False, description="The listing."),
        **problems(NotFound, ValidationFailed),
    },
)
async def read_listing(listing_id: Id, request: AnyRequest) -> ReadyReply:
    """A listing, whole. Anyone reads what is or was for sale; the rest its owner and moderators only."""
    viewer = principal_of(request)
    arrival = read_arrival(request.scope["query_string"]) if request.scope["query_string"] else None
    adapters = runtime_of(request).adapters
    found = await adapters.get(Browser).listing(listing_id, viewer.user_id if viewer else None)
    if found is not None:
        sightings.view(adapters.get(Recorder), request.scope, viewer, listing_id, arrival)
    else:
        if viewer is None:
            raise NotFound
        # What only some may read asks whether their session still stands.
        caller = await checked_principal(request)
        found = await service.hidden_listing(provide_session(request), listing_id, caller)
    body, tag = found
    return conditional(request.scope, body, _PUBLIC if viewer is None else _PRIVATE, tag)


router = Router("", route_handlers=[browse_listings, list_seller_listings, read_listing], tags=["search"])
