"""What is kept of people here: their consent, and what they did while it lasts."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.personal_data import Batch, Kind, PersonalData
from memi.platform.unit_of_work import adapters_of
from memi.usage import queries
from memi.usage.keys import UsageKeys

_PAGE = 500


async def _consent(session: AsyncSession, user_id: UUID, _after: Any) -> Batch:
    found = await queries.consent_of(session, user_id)
    return Batch([{"consent": bool(found and found.consent), "changed_at": found.changed_at if found else None}])


async def _events(session: AsyncSession, user_id: UUID, after: Any) -> Batch:
    found = await queries.consent_of(session, user_id)
    if found is None or found.salt is None:
        return Batch([])
    person = adapters_of(session).get(UsageKeys).person(found.salt, user_id)
    rows = await queries.of_person(session, person, after, _PAGE)
    names = ("at", "kind", "listing_id", "search_id", "position", "category", "words")
    records = [{name: getattr(row, name) for name in names} for row in rows]
    return Batch(records, (rows[-1].at, rows[-1].id) if len(rows) == _PAGE else None)


async def _erase(session: AsyncSession, user_id: UUID) -> None:
    """With the salt goes what tells which events were theirs; the events themselves are anonymous then."""
    await queries.drop_consent(session, user_id)


PERSONAL_DATA = PersonalData(
    feature="usage",
    kinds=(
        Kind("usage_consent", "Whether you let your use of this place be kept as yours.", _consent, single=True),
        Kind("usage_events", "What you viewed, looked for and did since you consented.", _events),
    ),
    erase=_erase,
    erased=frozenset({"usage_consents.user_id"}),
)
