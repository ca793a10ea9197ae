"""What each feature keeps of people: how they get to read it, and how it is erased.

A feature declares every column of its own that refers to a person, either as erased or as kept for a reason; a test
compares that with the database, so that a new table without a decision fails. `privacy` runs what is registered.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


class Batch(NamedTuple):
    """Some records of an export, and the position that the next ones follow; None when these were the last."""

    records: Sequence[Any]
    following: Any = None


@dataclass(frozen=True)
class Kind:
    """One file of an export. `page` reads a bounded number of records that follow a position, None at first."""

    name: str
    about: str
    page: Callable[[AsyncSession, UUID, Any], Awaitable[Batch]]
    single: bool = False
    """One record rather than a list."""


@dataclass(frozen=True)
class PersonalData:
    """One feature's part. `erased` and `kept` name columns that refer to people, as `table.column`."""

    feature: str
    kinds: tuple[Kind, ...] = ()
    erase: Callable[[AsyncSession, UUID], Awaitable[None]] | None = None
    """Runs in the one transaction of an erasure, the account locked."""
    erased: frozenset[str] = frozenset()
    kept: Mapping[str, str] = field(default_factory=dict[str, str])
    """With the reason why."""


class PersonalDataRegistry:
    """The parts of all features, the higher ones first: what refers to something goes before it does."""

    def __init__(self, parts: Iterable[PersonalData]) -> None:
        self.parts = tuple(parts)

    def kinds(self) -> Iterator[Kind]:
        """The files of an export, the account first."""
        for part in reversed(self.parts):
            yield from part.kinds

    async def erase(self, session: AsyncSession, user_id: UUID) -> None:
        """Have every feature erase what it keeps of a person."""
        for part in self.parts:
            if part.erase is not None:
                await part.erase(session, user_id)
                await session.flush()
