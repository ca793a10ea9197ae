"""What people want to hear of, and by which ways."""

from datetime import time
from typing import get_args
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.notifications import preference_queries as queries
from memi.notifications.models import NotificationSettings
from memi.notifications.preference_schemas import (
    Channel,
    Preferences,
    PreferencesUpdate,
    QuietHours,
    Type,
    Ways,
)
from memi.platform.errors import ValidationFailed

TYPES: tuple[Type, ...] = get_args(Type)
CHANNELS: tuple[Channel, ...] = get_args(Channel)
_MAILED: frozenset[Type] = frozenset({"MESSAGE", "RESERVATION", "ORDER", "MODERATION"})
"""Whose mails are on unless switched off: what somebody waits for. News of listings come as a digest to who asks."""
DEFAULTS: dict[Type, Ways] = {type: Ways(True, True, type in _MAILED) for type in TYPES}
HOME_ZONE = "Asia/Baku"
DIGEST_AT = time(9)
"""When a digest goes out, in the time zone of the quiet hours or else of `HOME_ZONE`."""


async def read(session: AsyncSession, user_id: UUID) -> Preferences:
    """The whole table, the defaults filled in."""
    stored = await queries.stored(session, user_id)
    types: dict[Type, Ways] = {
        type: msgspec.structs.replace(ways, **{channel: on for (of, channel), on in stored.items() if of == type})
        for type, ways in DEFAULTS.items()
    }
    settings = await queries.settings_of(session, user_id)
    return Preferences(types, _quiet(settings), "daily" if settings and settings.digest == "daily" else "off")


async def replace(session: AsyncSession, user_id: UUID, data: PreferencesUpdate) -> Preferences:
    """Put another table in the place of the whole; raises `ValidationFailed`. Of two at once one comes after the other.

    What is waiting to be mailed is looked at again when its time comes.
    """
    wanted = {(type, channel): bool(getattr(data.types[type], channel)) for type in DEFAULTS for channel in CHANNELS}
    if not wanted["MODERATION", "in_app"]:
        raise ValidationFailed.of(
            "/types/MODERATION/in_app", "cannot_be_off", "What the moderators decide is always shown."
        )
    quiet = data.quiet_hours
    if quiet is not None and not await queries.is_time_zone(session, quiet.time_zone):
        raise ValidationFailed.of("/quiet_hours/time_zone", "unknown_value", "There is no such time zone.")
    await queries.one_at_a_time(session, user_id)
    await queries.forget(session, user_id)
    for type, defaults in DEFAULTS.items():
        for channel in CHANNELS:
            if wanted[type, channel] != getattr(defaults, channel):
                await queries.store(session, user_id, type, channel, enabled=wanted[type, channel])
    if quiet is not None or data.digest != "off":
        session.add(
            NotificationSettings(
                user_id=user_id,
                quiet_from=time.fromisoformat(quiet.from_) if quiet else None,
                quiet_to=time.fromisoformat(quiet.to) if quiet else None,
                time_zone=quiet.time_zone if quiet else None,
                digest=data.digest,
            )
        )
        await session.flush()
    return await read(session, user_id)


async def switch_mail_off(session: AsyncSession, user_id: UUID, what: str) -> None:
    """No more mails of a type, or no more digests; again changes nothing."""
    await queries.one_at_a_time(session, user_id)
    if what == "digest":
        await queries.end_digest(session, user_id)
    else:
        await queries.store(session, user_id, what, "email", enabled=False)


def _quiet(settings: NotificationSettings | None) -> QuietHours | None:
    if settings is None or settings.quiet_from is None or settings.quiet_to is None or settings.time_zone is None:
        return None
    return QuietHours(f"{settings.quiet_from:%H:%M}", f"{settings.quiet_to:%H:%M}", settings.time_zone)
