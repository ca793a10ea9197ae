"""What is kept of people here: what they were told and want to be, and their name in what others were told."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat.personal_data import partners
from memi.notifications import personal_queries, preferences, queries
from memi.notifications.service import to_read
from memi.platform.personal_data import Batch, Kind, PersonalData

_PAGE = 500


async def _notifications(session: AsyncSession, user_id: UUID, before: UUID | None) -> Batch:
    rows = await queries.page(session, user_id, unread=False, before=before, limit=_PAGE, everything=True)
    return Batch([to_read(row) for row in rows], rows[-1].id if len(rows) == _PAGE else None)


async def _preferences(session: AsyncSession, user_id: UUID, _after: Any) -> Batch:
    return Batch([await preferences.read(session, user_id)])


async def _erase(session: AsyncSession, user_id: UUID) -> None:
    await personal_queries.erase(session, user_id)
    after: UUID | None = None
    while chats := await partners(session, user_id, after, _PAGE):
        await personal_queries.forget_name(session, chats)
        after = chats[-1][0]


PERSONAL_DATA = PersonalData(
    feature="notifications",
    kinds=(
        Kind("notifications", "What you were told.", _notifications),
        Kind("notification_preferences", "How you want to hear of things.", _preferences, single=True),
    ),
    erase=_erase,
    erased=frozenset(
        {
            "notifications.user_id",
            "notification_mails.user_id",
            "notification_preferences.user_id",
            "notification_settings.user_id",
        }
    ),
)
