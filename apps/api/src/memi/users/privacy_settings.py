"""What a person lets others see of them."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.errors import NotFound, StaleVersion
from memi.platform.events import publish
from memi.users import queries
from memi.users.events import PrivacyChanged
from memi.users.models import User
from memi.users.privacy_schemas import PrivacyRead, PrivacyUpdate


async def put(session: AsyncSession, user_id: UUID, wanted: PrivacyUpdate, expected_version: int | None) -> User:
    """Replace the choices whole; raises `StaleVersion` when the account moved on."""
    user = await queries.lock(session, user_id)
    if user is None or user.deleted_at is not None:
        raise NotFound
    if expected_version is not None and expected_version != user.version:
        raise StaleVersion
    changed = {name: value for name, value in wanted.model_dump().items() if getattr(user, name) != value}
    if changed:
        for name, value in changed.items():
            setattr(user, name, value)
        user.version += 1
        await session.flush()
        publish(session, PrivacyChanged(user.id))
    return user


def to_read(user: User) -> PrivacyRead:
    return PrivacyRead(user.show_city, user.show_phone, user.show_last_seen, user.searchable)
