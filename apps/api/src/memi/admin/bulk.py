"""One deed done to many. Each of them is done whole or not at all, and one that is refused keeps no other from it."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.admin import flags, service
from memi.admin.bulk_schemas import BulkDone, BulkListings, BulkOutcome, BulkUsers
from memi.listings import service as listings
from memi.platform.errors import AppError
from memi.platform.principal import Principal
from memi.platform.unit_of_work import part_of
from memi.users import service as users

_Deed = Callable[[UUID], Awaitable[object]]


async def do_to_listings(session: AsyncSession, caller: Principal, asked: BulkListings) -> BulkDone:
    """Remove, restore, or resolve the flags of listings, as one by one."""
    if asked.action == "REMOVE":
        # The decisions name the sellers, and an account is locked before its listings.
        shown = await listings.render(session, asked.ids)
        await users.lock_together(session, {listing.seller.id for listing in shown.values()})
    await listings.lock_together(session, asked.ids)

    async def deed(listing_id: UUID) -> None:
        if asked.action == "REMOVE":
            await service.remove_listing(session, caller, listing_id, asked.reason, None)
        elif asked.action == "RESTORE":
            await service.restore_listing(session, caller, listing_id, asked.reason, None)
        else:
            await flags.resolve_all(session, caller, listing_id, asked.reason)

    return await _each(session, asked.ids, deed)


async def do_to_users(session: AsyncSession, caller: Principal, asked: BulkUsers) -> BulkDone:
    """Block or unblock people, as one by one."""
    await users.lock_together(session, {caller.user_id, *asked.ids})
    one = service.block_user if asked.action == "BLOCK" else service.unblock_user
    return await _each(session, asked.ids, lambda user_id: one(session, caller, user_id, asked.reason))


async def _each(session: AsyncSession, ids: Sequence[UUID], deed: _Deed) -> BulkDone:
    outcomes: dict[UUID, BulkOutcome] = {}
    for item in sorted(ids):
        try:
            async with part_of(session):
                await deed(item)
            outcomes[item] = BulkOutcome(item, "DONE")
        except AppError as refusal:
            outcomes[item] = BulkOutcome(item, "REFUSED", refusal.code, refusal.detail)
    done = sum(outcome.outcome == "DONE" for outcome in outcomes.values())
    return BulkDone([outcomes[item] for item in ids], done, len(ids) - done)
