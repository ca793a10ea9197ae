"""Statements that keep the read model: the projection, the outbox and the vocabulary."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import TextClause, delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from memi.search.cards import CardRow
from memi.search.models import SearchEvent
from memi.search.spelling import variants


class Gone(msgspec.Struct, frozen=True):
    """A listing that browse no longer shows, or never did."""

    listing_id: UUID
    version: int
    is_over: bool
    """Deleted or removed, rather than put aside."""


# The seller's row is read under a lock, so that a block that is being decided right now is waited for and obeyed.
_PROJECT = text(
    """
    WITH given AS MATERIALIZED (
        SELECT r.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
            listing_id uuid, seller_id uuid, status text, version int, published_at timestamptz, price bigint,
            section text, brand text, lat float8, lon float8, tags text[], document tsvector, words text,
            card text, page text)
    ), sellers AS MATERIALIZED (
        SELECT id, NOT is_blocked AND deleted_at IS NULL AS stands FROM users
        WHERE id IN (SELECT seller_id FROM given) ORDER BY id FOR KEY SHARE
    ), written AS (
        INSERT INTO listing_cards AS c (
            listing_id, seller_id, status, version, visible, browsable, published_at, price, section, brand, lat, lon,
            tags, document, words, card, page)
        SELECT g.listing_id, g.seller_id, g.status, g.version, s.stands, s.stands AND g.status <> 'SOLD',
            g.published_at, g.price, g.section, g.brand, g.lat, g.lon, g.tags, g.document, g.words,
            convert_to(g.card, 'UTF8'), convert_to(g.page, 'UTF8')
        FROM given g JOIN sellers s ON s.id = g.seller_id ORDER BY g.listing_id
        ON CONFLICT (listing_id) DO UPDATE SET
            status = excluded.status, version = excluded.version, visible = excluded.visible,
            browsable = excluded.browsable, published_at = excluded.published_at, price = excluded.price,
            section = excluded.section, brand = excluded.brand, lat = excluded.lat, lon = excluded.lon,
            tags = excluded.tags, document = excluded.document, words = excluded.words, card = excluded.card,
            page = excluded.page
        WHERE c.version <= excluded.version
        RETURNING c.listing_id, c.version, c.xmax = 0 AS is_new
    ), hidden AS MATERIALIZED (
        SELECT r.* FROM jsonb_to_recordset(CAST(:gone AS jsonb)) AS r(listing_id uuid, version int, is_over boolean)
    ), dropped AS (
        DELETE FROM listing_cards WHERE listing_id IN (SELECT listing_id FROM hidden) RETURNING listing_id
    )
    INSERT INTO search_events (kind, listing_id, version)
    SELECT CASE WHEN is_new THEN 'listing.created' ELSE 'listing.updated' END, listing_id, version FROM written
    UNION ALL
    SELECT CASE WHEN h.is_over OR d.listing_id IS NOT NULL THEN 'listing.deleted'
                WHEN h.version = 1 THEN 'listing.created' ELSE 'listing.updated' END, h.listing_id, h.version
    FROM hidden h LEFT JOIN dropped d USING (listing_id)
    """
)

_SET_STANDING = text(
    """
    WITH touched AS (
        UPDATE listing_cards SET visible = :stands, browsable = :stands AND status <> 'SOLD'
        WHERE seller_id = :seller AND visible <> :stands RETURNING listing_id, version
    )
    INSERT INTO search_events (kind, listing_id, version)
    SELECT CASE WHEN :stands THEN 'listing.updated' ELSE 'listing.deleted' END, listing_id, version FROM touched
    """
)

_LEARN = text(
    """
    INSERT INTO search_words (word, variants)
    SELECT word, string_to_array(variants, ' ')
    FROM unnest(CAST(:words AS text[]), CAST(:variants AS text[])) AS t(word, variants)
    ON CONFLICT (word) DO NOTHING
    """
)


async def project(session: AsyncSession, rows: Sequence[CardRow], gone: Sequence[Gone]) -> None:
    """Write or drop these listings' cards and tell of each in `search_events`: one statement for any number."""
    await session.execute(_PROJECT, {"rows": _json(rows), "gone": _json(gone)})


async def set_standing(session: AsyncSession, seller_id: UUID, *, stands: bool) -> None:
    """Hide or show everything of a seller."""
    await session.execute(_SET_STANDING, {"seller": seller_id, "stands": stands})


async def claim_events(session: AsyncSession, limit: int) -> Sequence[SearchEvent]:
    """Unprocessed events, locked for this transaction; those that another consumer holds are left to it."""
    statement = (
        select(SearchEvent)
        .where(SearchEvent.processed_at.is_(None))
        .order_by(SearchEvent.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return (await session.scalars(statement)).all()


async def mark_processed(session: AsyncSession, event_ids: Sequence[int]) -> None:
    await session.execute(
        update(SearchEvent)
        .where(SearchEvent.id.in_(event_ids))
        .values(processed_at=func.now())
        .execution_options(synchronize_session=False)
    )


async def prune_events(session: AsyncSession, older_than: timedelta, limit: int) -> int:
    """Forget processed events, at most `limit` at a time; returns how many went."""
    old = select(SearchEvent.id).where(SearchEvent.processed_at < func.now() - older_than).limit(limit)
    statement = delete(SearchEvent).where(SearchEvent.id.in_(old)).execution_options(synchronize_session=False)
    result: Any = await session.execute(statement)
    return int(result.rowcount)


async def words_of(session: AsyncSession, listing_ids: Sequence[UUID]) -> set[str]:
    """The words of these listings' cards that the vocabulary does not have."""
    statement: TextClause = text(
        """
        SELECT DISTINCT w.word FROM listing_cards c CROSS JOIN LATERAL unnest(string_to_array(c.words, ' ')) AS w(word)
        WHERE c.listing_id = ANY(CAST(:ids AS uuid[])) AND NOT EXISTS (SELECT FROM search_words s WHERE s.word = w.word)
        """
    )
    return set((await session.execute(statement, {"ids": list(listing_ids)})).scalars())


async def all_new_words(session: AsyncSession) -> set[str]:
    """Every word of every card that the vocabulary does not have; reads the whole table, for bulk loads."""
    statement = text(
        """
        SELECT word FROM (SELECT DISTINCT unnest(string_to_array(words, ' ')) AS word FROM listing_cards) w
        WHERE NOT EXISTS (SELECT FROM search_words s WHERE s.word = w.word)
        """
    )
    return set((await session.execute(statement)).scalars())


async def learn(session: AsyncSession, words: set[str]) -> None:
    """Add words to the vocabulary; rivals adding the same ones wait in one order."""
    ordered = sorted(words)
    if ordered:
        await session.execute(_LEARN, {"words": ordered, "variants": [" ".join(variants(word)) for word in ordered]})


def _json(rows: Sequence[msgspec.Struct]) -> str:
    return msgspec.json.encode(rows).decode()
