"""Browsing: a query string in, finished JSON out, in one round trip; a second and third only when nothing was found."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID
from zlib import crc32

from sqlalchemy.ext.asyncio import AsyncSession

from memi.catalog.service import Catalog
from memi.catalog.snapshot import CatalogSnapshot
from memi.listings import service as listings
from memi.platform import clock
from memi.platform.cursors import CursorSigner, CursorValue
from memi.platform.database import Database
from memi.platform.errors import NotFound
from memi.platform.etags import etag
from memi.platform.paging import MOST
from memi.platform.permissions import Permission
from memi.platform.principal import Principal
from memi.search.cards import finish_card, finish_page, page_json
from memi.search.feed import FeedOrdering
from memi.search.filters import Plan, read_listing_query
from memi.search.spelling import corrects, nearest, tsquery, variants
from memi.search.statements import NEAREST, PAGE, Shape, cards
from memi.users import service as users

_MAX_PLANS = 2048
_MAX_KEPT_QUERY = 1024
"""Bytes: a front end's queries are short, and what strangers make up must not fill the memory."""
_FEW = 5
"""Fewer results than this, and it is asked whether a word was misspelled."""
Row = Any

_CURSOR_TYPES: dict[str, tuple[type, ...]] = {
    "newest": (datetime, UUID),
    "price_asc": (int, UUID),
    "price_desc": (int, UUID),
    "relevance": (int, datetime, UUID, datetime),
}


class Browser:
    """The process's reader of cards. Plans of query strings are kept, because front ends ask the same ones."""

    def __init__(self, database: Database, catalog: Catalog, cursors: CursorSigner, feed: FeedOrdering) -> None:
        self._hot = database.hot
        self._by_value = database.hot_by_value
        self._catalog = catalog
        self._cursors = cursors
        self._feed = feed
        self._snapshot: CatalogSnapshot | None = None
        self._plans: dict[bytes, Plan] = {}

    async def plan(self, query_string: bytes) -> Plan:
        """What a query string asks for; raises `ValidationFailed`, `PageTooDeep`."""
        snapshot = await self._catalog.snapshot()
        if snapshot is not self._snapshot:
            self._snapshot = snapshot
            self._plans.clear()
        plan = self._plans.get(query_string)
        if plan is None:
            plan = read_listing_query(query_string.decode("latin-1"), snapshot)
            if len(query_string) <= _MAX_KEPT_QUERY:
                if len(self._plans) >= _MAX_PLANS:
                    self._plans.clear()
                self._plans[query_string] = plan
        return plan

    async def listing(self, listing_id: UUID, viewer: UUID | None) -> tuple[bytes, bytes] | None:
        """(page as JSON, its ETag) of a listing that anyone may read by id, or None."""
        statement = PAGE[viewer is not None]
        rows = await self._hot.fetch(statement.sql, *statement.arguments({"id": listing_id, "viewer": viewer}))
        if not rows:
            return None
        page, version, favorites, views, is_favorite = rows[0]
        return finish_page(page, favorites, views, is_favorite), _tag(page, version, favorites, views)

    async def listings(self, plan: Plan, viewer: UUID | None) -> bytes:
        """A page of cards as JSON; raises `InvalidCursor`."""
        arguments = dict(plan.arguments)
        arguments["limit"] = plan.limit + 1
        arguments["viewer"] = viewer
        if plan.shape.order == "relevance":
            arguments["exact"] = arguments["query"]
            arguments["as_of"] = clock.now()
        if plan.cursor is not None:
            self._continue(plan, plan.cursor, arguments)
        elif plan.page is not None:
            arguments["offset"] = (plan.page - 1) * plan.limit
        shape = _shape(plan.shape, plan.cursor is not None, viewer is not None)
        rows = await self._fetch(shape, arguments)
        if plan.words and plan.cursor is None and await self._are_few(plan, shape, arguments, rows):
            rows = await self._corrected(plan, shape, arguments, rows)
        counted = None
        if shape.total:
            counted = rows[0][_TOTAL]
            rows = rows if rows[0][0] is not None else []
        more = len(rows) > plan.limit
        shown = rows[: plan.limit] if more else rows
        last = shown[-1] if more else None
        if viewer is not None and plan.is_feed and self._feed.is_on:
            shown = await self._feed.order(viewer, shown)
        return self._body(plan, arguments, shown, last, _numbers(plan, counted, more=more))

    async def _fetch(self, shape: Shape, arguments: dict[str, object]) -> list[Row]:
        statement = cards(shape)
        pool = self._hot if shape.is_plain else self._by_value
        return await pool.fetch(statement.sql, *statement.arguments(arguments))

    async def _are_few(self, plan: Plan, shape: Shape, arguments: dict[str, object], rows: list[Row]) -> bool:
        """Whether all that was found is so little that a word may be misspelled: each page of it must say the same."""
        few = min(_FEW, plan.limit)
        if shape.total:
            return rows[0][_TOTAL] < few
        if plan.is_first:
            return len(rows) < few
        # Before a page that has rows there is a full one; of one past the end it has to be asked.
        return not rows and len(await self._fetch(shape, {**arguments, "offset": 0, "limit": few})) < few

    async def _corrected(self, plan: Plan, shape: Shape, arguments: dict[str, object], found: list[Row]) -> list[Row]:
        """What is found when each word may also be one that it looks like; what was found stays in it."""
        doubtful = [word for word in plan.words if corrects(word)]
        if not doubtful:
            return found
        looked_up = await self._hot.fetch(NEAREST, doubtful, [" ".join(variants(word)) for word in doubtful])
        candidates: dict[str, list[str]] = {}
        for asked, word in looked_up:
            candidates.setdefault(asked, []).append(word)
        corrections = {asked: near for asked, words in candidates.items() if (near := nearest(asked, words))}
        if not corrections:
            return found
        arguments["query"] = tsquery(plan.words, corrections)
        return await self._fetch(shape, arguments)

    def _continue(self, plan: Plan, cursor: str, arguments: dict[str, object]) -> None:
        """Start after the row that the cursor was made from; raises `InvalidCursor`."""
        types = _CURSOR_TYPES[plan.shape.order]
        values = self._cursors.decode(plan.scope, cursor, (*types, str) if plan.shape.text else types)
        if plan.shape.text:
            arguments["query"] = values[-1]
        match plan.shape.order:
            case "newest":
                arguments["after_time"], arguments["after_id"] = values[:2]
            case "relevance":
                arguments["after_rank"], arguments["after_time"], arguments["after_id"] = values[:3]
                arguments["as_of"] = values[3]
            case _:
                arguments["after_price"], arguments["after_id"] = values[:2]

    def _body(
        self, plan: Plan, arguments: dict[str, object], rows: Sequence[Row], last: Row | None, numbers: bytes
    ) -> bytes:
        """Rows are (listing_id, published_at, price or rank, card, favourites, is_favorite); more follow `last`."""
        items = b",".join([finish_card(row[3], row[4], row[5]) for row in rows])
        if last is None:
            return b'{"items":[%b],"next_cursor":null%b}' % (items, numbers)
        values: tuple[CursorValue, ...]
        match plan.shape.order:
            case "newest":
                values = (last[1], last[0])
            case "relevance":
                values = (last[2], last[1], last[0], arguments["as_of"])  # pyright: ignore[reportAssignmentType]
            case _:
                values = (last[2], last[0])
        if plan.shape.text:
            values = (*values, str(arguments["query"]))
        cursor = self._cursors.encode(plan.scope, *values).encode()
        return b'{"items":[%b],"next_cursor":"%b"%b}' % (items, cursor, numbers)


_EMPTY = b'{"items":[]'
_JSON = {False: b"false", True: b"true"}
_TOTAL = 6
"""Where a row has the number of all, when it was asked for."""


def _numbers(plan: Plan, counted: int | None, *, more: bool) -> bytes:
    """What a page's number and a total add to a reply."""
    said = b""
    if plan.page is not None:
        said = b',"page":%d,"limit":%d,"has_more":%b' % (plan.page, plan.limit, _JSON[more])
    if counted is not None:
        said += b',"total":%d,"total_is_exact":%b' % (min(counted, MOST), _JSON[counted <= MOST])
    return said


def is_empty(body: bytes) -> bool:
    """Whether a page of cards holds none."""
    return body.startswith(_EMPTY)


@lru_cache(maxsize=4096)
def _shape(base: Shape, after: bool, viewer: bool) -> Shape:
    """`base` for this page and viewer, kept: building it would cost as much as the rest of the call."""
    return replace(base, after=after, viewer=viewer)


def _tag(page: bytes, version: int, *numbers: int) -> bytes:
    """A page also changes without its listing: its seller has another name or picture, its category another name."""
    return etag(version, *numbers, crc32(page)).encode()


async def hidden_listing(session: AsyncSession, listing_id: UUID, viewer: Principal) -> tuple[bytes, bytes]:
    """(page as JSON, ETag) of a listing that only its owner and moderators may read; raises `NotFound`."""
    staff = viewer.may(Permission.LISTINGS_MODERATE)
    listing = await listings.visible(session, listing_id, viewer.user_id, staff=staff)
    own = listing.seller_id == viewer.user_id
    read = (await listings.render(session, [listing.id], for_owner=own)).get(listing_id)
    if read is None:  # purged just now
        raise NotFound
    page = page_json(read).encode()
    body = finish_page(page, read.favorite_count, read.view_count, False)
    return body, _tag(page, read.version, read.favorite_count, read.view_count)


async def require_seller(session: AsyncSession, seller_id: UUID) -> None:
    """Raises `NotFound` unless the person stands."""
    await users.public_profile(session, seller_id)
