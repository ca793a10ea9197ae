"""Rows as the admin API shows them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response
from sqlalchemy.ext.asyncio import AsyncSession

from memi.admin.schemas import (
    AccountDetails,
    AccountNumbers,
    AccountRead,
    AuditEntryRead,
    DeadJobRead,
    FlagRead,
    ModeratedListing,
)
from memi.audit.models import AuditEntry
from memi.auth.models import AuthSession
from memi.auth.schemas import SessionRead
from memi.listings import moderation
from memi.listings import service as listings
from memi.listings.models import ListingFlag
from memi.listings.schemas import ListingRead
from memi.platform.etags import tagged
from memi.platform.job_queue import DeadJob
from memi.platform.logging import redacted
from memi.platform.principal import Principal
from memi.users.models import SellerStats, User


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


def tagged_account(user: User) -> Response[AccountRead]:
    return tagged(account(user), user.version)


def account_details(user: User, stats: SellerStats | None) -> AccountDetails:
    return AccountDetails(
        **msgspec.structs.asdict(account(user)),
        bio=user.bio,
        avatar_url=user.avatar_url,
        last_seen_at=user.last_seen_at,
        erase_after=user.erase_after,
        erased_at=user.erased_at,
        numbers=AccountNumbers(
            stats.active_listing_count if stats else 0,
            stats.sold_count if stats else 0,
            stats.reply_minutes if stats else None,
        ),
    )


def session(item: AuthSession, caller: Principal) -> SessionRead:
    return SessionRead(
        id=item.id,
        device=item.user_agent,
        ip=item.ip,
        transport=item.transport,
        current=item.id == caller.session_id,
        second_factor=item.mfa_at is not None,
        created_at=item.created_at,
        last_seen_at=item.last_seen_at,
        expires_at=item.expires_at,
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


def flag(item: ListingFlag) -> FlagRead:
    return FlagRead(item.id, item.kind, item.source, item.note, item.created_at, item.resolved_at)


async def one_listing(session: AsyncSession, listing_id: UUID) -> Response[ListingRead]:
    """A listing that was just moved, with its ETag."""
    read = (await listings.render(session, [listing_id]))[listing_id]
    return tagged(read, read.version, read.favorite_count, read.view_count)


async def moderated(session: AsyncSession, listing_ids: Sequence[UUID]) -> list[ModeratedListing]:
    """Listings in the order given, with their flags: a fixed number of statements however many they are."""
    reads = await listings.render(session, listing_ids)
    flags = await moderation.flags_of(session, listing_ids)
    purged = await moderation.purged(session, listing_ids)
    return [
        ModeratedListing(
            **msgspec.structs.asdict(reads[item]),
            flags=[flag(found) for found in flags[item]],
            purged_at=purged.get(item),
        )
        for item in listing_ids
        if item in reads  # others are purged just now
    ]
