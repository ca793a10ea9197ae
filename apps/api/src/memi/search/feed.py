"""Ordering a page of the feed for the person who looks at it, by a plug-in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from memi.intelligence import service as intelligence
from memi.intelligence.buffer import VerdictBuffer
from memi.intelligence.ports import FEED_RANKER, Candidate, FeedQuestion
from memi.intelligence.service import Intelligence
from memi.listings.schemas import Money
from memi.platform.adapters import Adapters
from memi.search.cards import finish_card


class _Seen(msgspec.Struct):
    """What of a card a plug-in is told."""

    id: UUID
    title: str
    price: Money
    condition: str
    category: str
    published_at: datetime
    brand: str | None = None
    size: str | None = None
    city: str | None = None


_read = msgspec.json.Decoder(_Seen).decode


class FeedOrdering:
    """`is_on` while a ranker is installed; without one the feed is as it always was."""

    def __init__(self, adapters: Adapters) -> None:
        self._plugins = adapters.get(Intelligence)
        self._verdicts = adapters.get(VerdictBuffer)
        self.is_on = self._plugins.has(FEED_RANKER)

    async def order(self, viewer: UUID, rows: Sequence[Any]) -> Sequence[Any]:
        """The same rows (listing_id first, the card fourth), best first: none is added, and none is lost."""
        if len(rows) < 2:
            return rows
        question = FeedQuestion(viewer_id=viewer, candidates=tuple(_candidate(row[3]) for row in rows))
        answer = await self._plugins.ask(FEED_RANKER, question)
        ordered = rows if answer.value is None else _arranged(rows, answer.value.listing_ids)
        moved = sum(before[0] != after[0] for before, after in zip(rows, ordered, strict=True))
        # In short: the ids of every page that anybody looks at would be most of the table.
        said = {"candidates": len(rows), "moved": moved}
        intelligence.note(self._verdicts, answer, "USER", viewer, user_id=viewer, verdict=said)
        return ordered


def _candidate(card: bytes) -> Candidate:
    seen = _read(finish_card(card, 0, False))
    return Candidate(
        listing_id=seen.id,
        title=seen.title,
        category=seen.category,
        price=seen.price.amount,
        condition=seen.condition,
        brand=seen.brand,
        size=seen.size,
        city=seen.city,
        published_at=seen.published_at,
    )


def _arranged(rows: Sequence[Any], wanted: Sequence[UUID]) -> list[Any]:
    left = {row[0]: row for row in rows}
    named = [left.pop(listing_id) for listing_id in dict.fromkeys(wanted) if listing_id in left]
    return [*named, *left.values()]
