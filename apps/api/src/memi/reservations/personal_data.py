"""What is kept of people here: their deals, which belong to two. What a buyer wrote goes with the account."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.personal_data import Batch, Kind, PersonalData
from memi.reservations import queries, service

_PAGE = 500
_WHY = "the other side's deal too: it stays, without what the buyer wrote, as with a deleted user"


async def _reservations(session: AsyncSession, user_id: UUID, before: UUID | None) -> Batch:
    rows = await queries.page(session, user_id, role=None, statuses=(), before=before, limit=_PAGE)
    records = [
        {
            "id": item.id,
            "listing_id": item.listing_id,
            "listing_title": item.listing.title,
            "you_are": "buyer" if item.buyer_id == user_id else "seller",
            "with": item.seller.name if item.buyer_id == user_id else item.buyer.name,
            "status": item.status,
            "message": item.message,
            "ended_because": item.ended_because,
            "expires_at": item.expires_at,
            "created_at": item.created_at,
            "accepted_at": item.accepted_at,
        }
        for item in await service.render(session, rows)
    ]
    return Batch(records, rows[-1].id if len(rows) == _PAGE else None)


PERSONAL_DATA = PersonalData(
    feature="reservations",
    kinds=(Kind("reservations", "What you reserved and what was reserved of you.", _reservations),),
    erase=queries.forget_words,
    kept={"reservations.buyer_id": _WHY, "reservations.seller_id": _WHY},
)
