"""The port to whatever answers searches, and its embedded adapter: PostgreSQL, where the cards are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.search import queries

ChangeKind = Literal["listing.created", "listing.updated", "listing.deleted"]


@dataclass(frozen=True)
class Change:
    """A listing became this version. Changes come at least once and in no promised order: the highest version wins."""

    kind: ChangeKind
    listing_id: UUID
    version: int


class SearchEngine(Protocol):
    """An index that follows the listings."""

    async def apply(self, session: AsyncSession, changes: Sequence[Change]) -> None:
        """Take these changes in, one per listing; raises to be given them again."""
        ...


class PostgresEngine:
    """The projection has written the cards already, with the listing itself; what is left is to learn their words.

    Apart from the sellers' transactions, because two of them that use a new word first would wait for each other.
    """

    async def apply(self, session: AsyncSession, changes: Sequence[Change]) -> None:
        kept = [change.listing_id for change in changes if change.kind != "listing.deleted"]
        if kept:
            await queries.learn(session, await queries.words_of(session, kept))
