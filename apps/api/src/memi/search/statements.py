"""The hot reads: one statement per combination of filters, built and compiled once, prepared once per connection."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Text,
    Uuid,
    bindparam,
    cast,
    false,
    func,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY

from memi.favorites import queries as favorites
from memi.listings import queries as listings
from memi.platform.hot_pool import HotStatement
from memi.platform.paging import MOST
from memi.search.models import ListingCard

MAX_CANDIDATES = 1000
"""`relevance` ranks this many of the newest matches: ranking every match would cost more with every listing."""

CHOICES = (0, 1, 2, 3, 4, 8, 24)
"""How many groups of alternatives a statement can have, the last one repeated to make up for it: so there are no more
statements than are kept."""

Order = Literal["newest", "price_asc", "price_desc", "relevance"]


@dataclass(frozen=True)
class Shape:
    """Which clauses a statement has; the values are parameters."""

    order: Order = "newest"
    after: bool = False
    text: bool = False
    all_tags: bool = False
    choices: int = 0
    """How many groups of tags of which any one is wanted."""
    section: bool = False
    brand: bool = False
    seller: bool = False
    min_price: bool = False
    max_price: bool = False
    viewer: bool = False
    page: bool = False
    """Rows are passed over by their number, rather than sought after another one."""
    total: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the same plan serves all values, so that none has to be made per request."""
        by_value = self.text or self.all_tags or self.choices or self.section or self.brand or self.page or self.total
        return not by_value


@lru_cache(maxsize=4096)
def cards(shape: Shape) -> HotStatement:
    """Rows of a page: listing_id, the sort's values, card, favourites, is_favorite; with a total that, see `_counted`.

    Parameters: `limit`, `viewer`, `tags`, `choice_<n>`, `section`, `brand`, `seller`, `min_price`, `max_price`,
    `query`, `offset` of a page, and for the rows after another one `after_id` with `after_time`, `after_price` or
    `after_rank`; relevance also `exact` and `as_of`.
    """
    make = _relevance if shape.order == "relevance" else _numbered if shape.page else _sorted
    statement = make(shape)
    return HotStatement(_counted(shape, statement) if shape.total else statement)


def _sorted(shape: Shape) -> Select[Any]:
    card = ListingCard
    statement = _select(shape, card.listing_id, card.published_at, card.price).where(*_filters(shape))
    identity = bindparam("after_id", type_=Uuid())
    if shape.order == "newest":
        if shape.after:
            row = tuple_(bindparam("after_time", type_=DateTime(timezone=True)), identity)
            statement = statement.where(tuple_(card.published_at, card.listing_id) < row)
    elif shape.after:
        here, row = tuple_(card.price, card.listing_id), tuple_(bindparam("after_price", type_=BigInteger()), identity)
        statement = statement.where(here > row if shape.order == "price_asc" else here < row)
    return statement.order_by(*_order(shape, card)).limit(bindparam("limit", type_=Integer()))


def _numbered(shape: Shape) -> Select[Any]:
    """Ids first, so that what is passed over costs its entry in an index, and no card or favourites are read of it."""
    card = ListingCard
    ids = select(card.listing_id).where(*_filters(shape)).order_by(*_order(shape, card))
    page = ids.limit(bindparam("limit", type_=Integer())).offset(bindparam("offset", type_=Integer())).subquery("page")
    return (
        _select(shape, card.listing_id, card.published_at, card.price)
        .join_from(page, card, card.listing_id == page.c.listing_id)
        .order_by(*_order(shape, card))
    )


def _counted(shape: Shape, statement: Select[Any]) -> Select[Any]:
    """Each row with the number of all, up to one more than `MOST`; where there is no row, one of that alone."""
    all_of_it = select(ListingCard.listing_id).where(*_filters(shape)).limit(MOST + 1).subquery("all_of_it")
    counted = select(func.count().label("total")).select_from(all_of_it).subquery("counted")
    page = statement.subquery("shown")
    chosen: list[Any] = [*page.c, counted.c.total]
    found: Any = select(*chosen)
    return found.select_from(counted.outerjoin(page, true())).order_by(*_order(shape, page.c))


def _order(shape: Shape, row: Any) -> tuple[Any, ...]:
    """By columns of `row`: the table's or a subquery's. Ends with the id, so that no two rows are equal."""
    match shape.order:
        case "newest":
            return row.published_at.desc(), row.listing_id.desc()
        case "price_asc":
            return row.price, row.listing_id
        case "price_desc":
            return row.price.desc(), row.listing_id.desc()
        case "relevance":
            return row.rank.desc(), row.published_at.desc(), row.listing_id.desc()


def _select(shape: Shape, *columns: Any) -> Select[Any]:
    counted = listings.favorite_count_of(ListingCard.listing_id)
    chosen: list[Any] = [*columns, ListingCard.card, counted.label("favorites"), _is_favorite(shape.viewer)]
    statement: Any = select(*chosen)
    return statement


def _is_favorite(viewer: bool) -> ColumnElement[bool]:
    clause = favorites.is_favorite_of(bindparam("viewer", type_=Uuid()), ListingCard.listing_id) if viewer else false()
    return clause.label("is_favorite")


def _filters(shape: Shape) -> list[Any]:
    card = ListingCard
    found: list[Any] = [card.browsable]
    if shape.section:
        found.append(card.section == bindparam("section", type_=Text()))
    if shape.brand:
        found.append(card.brand == bindparam("brand", type_=Text()))
    if shape.seller:
        found.append(card.seller_id == bindparam("seller", type_=Uuid()))
    if shape.all_tags:
        found.append(card.tags.contains(bindparam("tags", type_=ARRAY(Text()))))
    found += [card.tags.overlap(bindparam(f"choice_{number}", type_=ARRAY(Text()))) for number in range(shape.choices)]
    if shape.min_price:
        found.append(card.price >= bindparam("min_price", type_=BigInteger()))
    if shape.max_price:
        found.append(card.price <= bindparam("max_price", type_=BigInteger()))
    if shape.text:
        found.append(card.document.bool_op("@@")(_query("query")))
    return found


def _query(name: str) -> ColumnElement[Any]:
    return cast(bindparam(name, type_=Text()), TSQUERY)


def _relevance(shape: Shape) -> Select[Any]:
    """The newest matches, ranked: what matches as typed first, then by weight, then the newest."""
    card = ListingCard
    time = DateTime(timezone=True)
    newest = (
        select(card.listing_id, card.published_at, card.document)
        .where(*_filters(shape), card.published_at <= bindparam("as_of", type_=time))
        .order_by(card.published_at.desc(), card.listing_id.desc())
        .limit(MAX_CANDIDATES)
        .subquery("newest")
    )
    # A whole number, so that a cursor finds exactly the row it was made from.
    exact = cast(newest.c.document.bool_op("@@")(_query("exact")), Integer) * 1_000_000_000
    rank = exact + cast(func.ts_rank(newest.c.document, _query("query")) * 100_000_000, BigInteger)
    ranked = select(newest.c.listing_id, newest.c.published_at, rank.label("rank")).subquery("ranked")
    best = select(ranked)
    if shape.after:
        row = tuple_(
            bindparam("after_rank", type_=BigInteger()),
            bindparam("after_time", type_=time),
            bindparam("after_id", type_=Uuid()),
        )
        best = best.where(tuple_(ranked.c.rank, ranked.c.published_at, ranked.c.listing_id) < row)
    best = best.order_by(*_order(shape, ranked.c)).limit(bindparam("limit", type_=Integer()))
    page = (best.offset(bindparam("offset", type_=Integer())) if shape.page else best).subquery("page")
    return (
        _select(shape, page.c.listing_id, page.c.published_at, page.c.rank)
        .join_from(page, card, card.listing_id == page.c.listing_id)
        .order_by(*_order(shape, page.c))
    )


def _page(viewer: bool) -> HotStatement:
    """One listing as anyone may read it: page, version, favourites, views, is_favorite. Parameters: `id`, `viewer`."""
    card = ListingCard
    return HotStatement(
        select(
            card.page,
            card.version,
            listings.favorite_count_of(card.listing_id).label("favorites"),
            listings.view_count_of(card.listing_id).label("views"),
            _is_favorite(viewer),
        ).where(card.listing_id == bindparam("id", type_=Uuid()), card.visible)
    )


PAGE = {False: _page(False), True: _page(True)}

NEAREST = """
    SELECT asked.word AS asked, near.word
    FROM unnest($1::text[], $2::text[]) AS asked(word, variants)
    CROSS JOIN LATERAL (
        (SELECT w.word FROM search_words w WHERE w.variants && string_to_array(asked.variants, ' ') LIMIT 50)
        UNION
        (SELECT w.word FROM search_words w WHERE w.word % asked.word ORDER BY w.word <-> asked.word LIMIT 20)
    ) AS near
"""
"""Words of the vocabulary near misspelled ones. Arguments: the words, and each one's variants joined by blanks."""
