"""What is kept of people here: what they were told, and their name in what others were told of them."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat.personal_data import partners
from memi.notifications import personal_queries, queries
from memi.notifications.service import to_read
from memi.platform.personal_data import Batch, Kind, PersonalData

_PAGE = 500


async def _notifications(session: AsyncSession, user_id: UUID, before: UUID | None) -> Batch:
    rows = await queries.page(session, user_id, unread=False, before=before, limit=_PAGE)
    return Batch([to_read(row) for row in rows], rows[-1].id if len(rows) == _PAGE else None)


async def _erase(session: AsyncSession, user_id: UUID) -> None:
    await personal_queries.erase(session, user_id)
    after: UUID | None = None
    while chats := await partners(session, user_id, after, _PAGE):
        await personal_queries.forget_name(session, chats)
        after = chats[-1][0]


PERSONAL_DATA = PersonalData(
    feature="notifications",
    kinds=(Kind("notifications", "What you were told.", _notifications),),
    erase=_erase,
    erased=frozenset({"notifications.user_id"}),
)
