"""What is kept of people here: on which days they were here."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.analytics import personal_queries as queries
from memi.platform.personal_data import Batch, Kind, PersonalData

_PAGE = 500


async def _days(session: AsyncSession, user_id: UUID, after: date | None) -> Batch:
    days = await queries.days_of(session, user_id, after, _PAGE)
    records: list[Any] = [{"day": day} for day in days]
    return Batch(records, days[-1] if len(days) == _PAGE else None)


PERSONAL_DATA = PersonalData(
    feature="analytics",
    kinds=(Kind("active_days", "On which days (UTC) you were here.", _days),),
    erase=queries.forget,
    erased=frozenset({"user_days.user_id"}),
)
