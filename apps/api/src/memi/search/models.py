"""The read model of browsing: one row per listing that people can see, and the events a search engine consumes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt, OptionalTimestamp
from memi.platform.database import Base
from memi.platform.ids import new_id

_BROWSABLE = text("browsable")


class ListingCard(Base):
    """Filter and sort columns, the folded text, and the finished JSON of card and page (bytes, UTF-8).

    Sorted reads walk an index in order and stop at the end of the page, so they cost the same however many listings
    there are; narrow ones start from `tags`. The planner chooses by its statistics of the values asked for.
    """

    __tablename__ = "listing_cards"
    __table_args__ = (
        CheckConstraint("status IN ('ACTIVE','RESERVED','SOLD')", name="status"),
        CheckConstraint("NOT browsable OR (visible AND status <> 'SOLD')", name="browsable_is_visible"),
        Index(None, "seller_id", text("published_at DESC"), text("listing_id DESC")),
        Index(
            "ix_listing_cards_newest", text("published_at DESC"), text("listing_id DESC"), postgresql_where=_BROWSABLE
        ),
        Index("ix_listing_cards_price", "price", "listing_id", postgresql_where=_BROWSABLE),
        Index(
            "ix_listing_cards_section_newest",
            "section",
            text("published_at DESC"),
            text("listing_id DESC"),
            postgresql_where=_BROWSABLE,
        ),
        Index("ix_listing_cards_section_price", "section", "price", "listing_id", postgresql_where=_BROWSABLE),
        Index(
            "ix_listing_cards_brand_newest",
            "brand",
            text("published_at DESC"),
            text("listing_id DESC"),
            postgresql_where=_BROWSABLE,
        ),
        Index("ix_listing_cards_tags", "tags", postgresql_using="gin", postgresql_where=_BROWSABLE),
        Index("ix_listing_cards_document", "document", postgresql_using="gin", postgresql_where=_BROWSABLE),
    )

    listing_id: Mapped[UUID] = mapped_column(ForeignKey("listings.id", ondelete="CASCADE"), primary_key=True)
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer)
    visible: Mapped[bool]
    """The seller stands: anyone may read it by id."""
    browsable: Mapped[bool]
    """Visible, and ACTIVE or RESERVED: shown by browse and search. SOLD is kept for reads by id."""
    published_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    price: Mapped[int] = mapped_column(BigInteger)
    section: Mapped[str | None] = mapped_column(Text)
    """Slug of the third category from the root (women > clothes > *dresses*), where a subtree becomes narrow."""
    brand: Mapped[str | None] = mapped_column(Text)
    """Slug of the known brand, else the folded text."""
    lat: Mapped[float | None] = mapped_column(Float)
    lon: Mapped[float | None] = mapped_column(Float)
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """Everything equality filters ask for, as `field:value`; see `cards.tag`."""
    document: Mapped[str] = mapped_column(TSVECTOR)
    words: Mapped[str] = mapped_column(Text)
    """Folded words of title, brand, category, color and material: what the vocabulary learns."""
    card: Mapped[bytes] = mapped_column(LargeBinary)
    page: Mapped[bytes] = mapped_column(LargeBinary)


class SearchWord(Base):
    """A word that listings use, findable by its misspellings."""

    __tablename__ = "search_words"
    __table_args__ = (
        Index("ix_search_words_variants", "variants", postgresql_using="gin"),
        Index("ix_search_words_similar", "word", postgresql_using="gin", postgresql_ops={"word": "gin_trgm_ops"}),
    )

    word: Mapped[str] = mapped_column(Text, primary_key=True)
    variants: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """The word and what is left of it when one letter goes: two words a slip apart share one."""


class SearchReplay(Base):
    """A rebuilding of cards, under way or finished; `done_to` is the last listing that was handled, in order of ids."""

    __tablename__ = "search_replays"
    __table_args__ = (
        CheckConstraint(
            "CASE scope WHEN 'all' THEN num_nonnulls(since, listing_ids, category_id) = 0 "
            "WHEN 'since' THEN since IS NOT NULL AND num_nonnulls(listing_ids, category_id) = 0 "
            "WHEN 'listing_ids' THEN listing_ids IS NOT NULL AND num_nonnulls(since, category_id) = 0 "
            "WHEN 'category' THEN category_id IS NOT NULL AND num_nonnulls(since, listing_ids) = 0 ELSE false END",
            name="scope",
        ),
        Index("ix_search_replays_unfinished", "touched_at", postgresql_where=text("finished_at IS NULL")),
        Index(
            "uq_search_replays_whole",
            "scope",
            unique=True,
            postgresql_where=text("scope = 'all' AND finished_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    scope: Mapped[str] = mapped_column(Text)
    since: Mapped[OptionalTimestamp]
    listing_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid()))
    category_id: Mapped[UUID | None]
    """With all below it. No foreign key: it may go while this waits, and then there is nothing to do."""
    done_to: Mapped[UUID | None]
    handled: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    estimated: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[CreatedAt]
    touched_at: Mapped[CreatedAt]
    finished_at: Mapped[OptionalTimestamp]


class SearchEvent(Base):
    """A change of a listing, written with it, for whatever index is kept elsewhere."""

    __tablename__ = "search_events"
    __table_args__ = (
        CheckConstraint("kind IN ('listing.created','listing.updated','listing.deleted')", name="kind"),
        Index("ix_search_events_unprocessed", "id", postgresql_where=text("processed_at IS NULL")),
        Index("ix_search_events_processed_at", "processed_at", postgresql_where=text("processed_at IS NOT NULL")),
        Index(None, "listing_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    listing_id: Mapped[UUID] = mapped_column(ForeignKey("listings.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[CreatedAt]
    processed_at: Mapped[OptionalTimestamp]
