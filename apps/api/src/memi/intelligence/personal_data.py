"""What is kept of people here: what plug-ins said of them and of what is theirs."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.intelligence import queries
from memi.platform.personal_data import Batch, Kind, PersonalData

_PAGE = 500


async def _assessments(session: AsyncSession, user_id: UUID, before: UUID | None) -> Batch:
    rows = await queries.of_user(session, user_id, before, _PAGE)
    names = ("at", "port", "plugin", "plugin_version", "subject_type", "subject_id", "outcome", "verdict")
    records = [{name: getattr(row, name) for name in names} for row in rows]
    return Batch(records, rows[-1].id if len(rows) == _PAGE else None)


PERSONAL_DATA = PersonalData(
    feature="intelligence",
    kinds=(
        Kind("assessments", "What programs said of your listings, pictures, messages and of your feed.", _assessments),
    ),
    erase=queries.erase,
    erased=frozenset({"intelligence_verdicts.user_id"}),
)
