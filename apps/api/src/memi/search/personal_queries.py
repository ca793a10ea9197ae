"""Statements of erasing what people sell from the read model."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_ERASE = text(
    """
    WITH dropped AS (DELETE FROM listing_cards WHERE seller_id = :seller RETURNING listing_id, version)
    INSERT INTO search_events (kind, listing_id, version) SELECT 'listing.deleted', listing_id, version FROM dropped
    """
)


async def erase(session: AsyncSession, seller_id: UUID) -> None:
    """An index kept elsewhere was told when the account was deleted; here it is told of what is left of it."""
    await session.execute(_ERASE, {"seller": seller_id})
