"""What is kept of people here: the copies of their data that were made for them."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.personal_data import PersonalData
from memi.privacy import exports, queries


async def _erase(session: AsyncSession, user_id: UUID) -> None:
    await exports.withdraw(session, user_id)
    await queries.remove_of(session, user_id)


PERSONAL_DATA = PersonalData(feature="privacy", erase=_erase, erased=frozenset({"data_exports.user_id"}))
