"""Every statement about preferences."""

from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from memi.notifications.models import NotificationPreference, NotificationSettings


async def stored(session: AsyncSession, user_id: UUID) -> dict[tuple[str, str], bool]:
    """By type and channel, where it is not the default."""
    statement = select(
        NotificationPreference.type, NotificationPreference.channel, NotificationPreference.enabled
    ).where(NotificationPreference.user_id == user_id)
    return {(row.type, row.channel): row.enabled for row in await session.execute(statement)}


async def settings_of(session: AsyncSession, user_id: UUID) -> NotificationSettings | None:
    statement = select(NotificationSettings).where(NotificationSettings.user_id == user_id)
    return await session.scalar(statement.execution_options(populate_existing=True))


async def one_at_a_time(session: AsyncSession, user_id: UUID) -> None:
    """Until the end of the unit of work nobody else changes what this person wants."""
    key = func.hashtextextended(f"notification_preferences:{user_id}", 0)
    await session.execute(select(func.pg_advisory_xact_lock(key)))


async def forget(session: AsyncSession, user_id: UUID) -> None:
    for table in (NotificationPreference, NotificationSettings):
        await session.execute(
            delete(table).where(table.user_id == user_id).execution_options(synchronize_session=False)
        )


async def store(session: AsyncSession, user_id: UUID, type: str, channel: str, *, enabled: bool) -> None:
    statement = insert(NotificationPreference).values(user_id=user_id, type=type, channel=channel, enabled=enabled)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["user_id", "type", "channel"], set_={"enabled": statement.excluded.enabled}
        )
    )


async def end_digest(session: AsyncSession, user_id: UUID) -> None:
    await session.execute(
        update(NotificationSettings)
        .where(NotificationSettings.user_id == user_id)
        .values(digest="off")
        .execution_options(synchronize_session=False)
    )


async def is_time_zone(session: AsyncSession, name: str) -> bool:
    """Whether the database knows the zone, since it is the database that reckons with it."""
    found = await session.execute(
        text("SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = :name)"), {"name": name}
    )
    return bool(found.scalar_one())
