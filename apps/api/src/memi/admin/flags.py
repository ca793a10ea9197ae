"""What moderators do about flags of listings."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.admin.service import listing_under
from memi.audit import service as audit
from memi.listings import flags
from memi.listings.errors import FlagIsResolved
from memi.listings.models import ListingFlag
from memi.platform.principal import Principal


async def add(
    session: AsyncSession, caller: Principal, listing_id: UUID, kind: str, note: str | None, *, expected: int | None
) -> ListingFlag:
    """Raises `NotFound`, `StaleVersion`, `FlagExists`.

    The note is the flag's alone: it may repeat what people wrote, and goes once the flag was resolved long ago.
    """
    flag = await flags.add(session, await listing_under(session, listing_id, expected), kind, note)
    after = {"flag_id": flag.id, "kind": kind, "resolved": False}
    await audit.record(session, caller, "listing.flag", "LISTING", listing_id, after=after)
    return flag


async def resolve(
    session: AsyncSession,
    caller: Principal,
    listing_id: UUID,
    flag_id: UUID,
    *,
    reason: str | None,
    expected: int | None,
) -> ListingFlag:
    """Raises `NotFound`, `StaleVersion`, `FlagIsResolved`."""
    flag = await flags.resolve(session, await listing_under(session, listing_id, expected), flag_id)
    await _resolved(session, caller, listing_id, [flag], reason)
    return flag


async def resolve_all(session: AsyncSession, caller: Principal, listing_id: UUID, reason: str) -> int:
    """Every open flag of a listing; how many there were. Raises `NotFound`, `FlagIsResolved` when none is open."""
    found = await flags.resolve_all(session, await listing_under(session, listing_id, None))
    if not found:
        raise FlagIsResolved
    await _resolved(session, caller, listing_id, list(found), reason)
    return len(found)


async def _resolved(
    session: AsyncSession, caller: Principal, listing_id: UUID, found: list[ListingFlag], reason: str | None
) -> None:
    named = [{"flag_id": flag.id, "kind": flag.kind, "source": flag.source} for flag in found]
    before, after = {"flags": named, "resolved": False}, {"flags": named, "resolved": True}
    await audit.record(
        session, caller, "listing.resolve_flag", "LISTING", listing_id, reason=reason, before=before, after=after
    )
