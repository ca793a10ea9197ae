"""Rows as the admin API shows them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.admin.schemas import AccountRead, AuditEntryRead, DeadJobRead, FlagRead, ModeratedListing
from memi.audit.models import AuditEntry
from memi.listings import moderation
from memi.listings import service as listings
from memi.platform.job_queue import DeadJob
from memi.platform.logging import redacted
from memi.users.models import User


def account(user: User) -> AccountRead:
    return AccountRead(
        id=user.id,
        email=user.email,
        name=user.name,
        city=user.city,
        phone=user.phone,
        locale=user.locale,
        roles=sorted(user.roles),
        email_verified=user.email_verified_at is not None,
        is_blocked=user.is_blocked,
        version=user.version,
        created_at=user.created_at,
        deleted_at=user.deleted_at,
    )


def audit_entry(entry: AuditEntry) -> AuditEntryRead:
    return AuditEntryRead(
        id=entry.id,
        at=entry.at,
        actor_id=entry.actor_id,
        impersonator_id=entry.impersonator_id,
        action=entry.action,
        target_type=entry.target_type,
        target_id=entry.target_id,
        reason=entry.reason,
        before=entry.before,
        after=entry.after,
    )


def dead_job(job: DeadJob) -> DeadJobRead:
    return DeadJobRead(job.id, job.name, _payload(job.payload), job.attempts, job.error, job.died_at)


def _payload(raw: bytes) -> Any:
    try:
        decoded: Any = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None  # what cannot be read may be why it died
    return redacted({"payload": decoded})["payload"]


async def moderated(session: AsyncSession, found: Sequence[moderation.Found]) -> list[ModeratedListing]:
    """Listings in the order given, with their flags: a fixed number of statements however many they are."""
    reads = await listings.render(session, [item.listing_id for item in found])
    return [
        ModeratedListing(
            **msgspec.structs.asdict(reads[item.listing_id]),
            flags=[
                FlagRead(flag.id, flag.kind, flag.source, flag.note, flag.created_at, flag.resolved_at)
                for flag in item.flags
            ],
        )
        for item in found
    ]
