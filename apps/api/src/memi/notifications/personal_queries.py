"""Statements of erasing what people were told, and what others were told of them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncSession

from memi.notifications.models import Notification, NotificationMail, NotificationPreference, NotificationSettings
from memi.users.models import DELETED_NAME

_FORGET_NAME = text(
    """
    UPDATE notifications n SET data = n.data
        || CASE WHEN jsonb_exists(n.data, 'sender_name') THEN jsonb_build_object('sender_name', CAST(:name AS text))
                ELSE '{}' END
        || CASE WHEN jsonb_exists(n.data, 'other_name') THEN jsonb_build_object('other_name', CAST(:name AS text))
                ELSE '{}' END
    FROM unnest(CAST(:people AS uuid[]), CAST(:chats AS text[])) AS t(user_id, chat_id)
    WHERE n.user_id = t.user_id AND n.data->>'chat_id' = t.chat_id
        AND (jsonb_exists(n.data, 'sender_name') OR jsonb_exists(n.data, 'other_name'))
    """
)


async def erase(session: AsyncSession, user_id: UUID) -> None:
    for table in (NotificationMail, Notification, NotificationPreference, NotificationSettings):
        statement = delete(table).where(table.user_id == user_id)
        await session.execute(statement.execution_options(synchronize_session=False))


async def forget_name(session: AsyncSession, chats: Sequence[tuple[UUID, UUID]]) -> None:
    """In what these people were told of these chats (chat, person), the other side is a deleted user from now on."""
    await session.execute(
        _FORGET_NAME,
        {
            "name": DELETED_NAME,
            "people": [person for _, person in chats],
            "chats": [str(chat_id) for chat_id, _ in chats],
        },
    )
