"""What is kept of people here: orders, which belong to two. Names, addresses and own words go with the account."""

from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.orders import queries
from memi.orders.rendering import render
from memi.platform.personal_data import Batch, Kind, PersonalData

_PAGE = 500
_WHY = "the other side's purchase too: it stays, without name, address and their words, as with a deleted user"


async def _orders(session: AsyncSession, user_id: UUID, before: UUID | None) -> Batch:
    rows = await queries.page(session, user_id, role=None, statuses=(), before=before, limit=_PAGE)
    records = [
        {
            "id": item.id,
            "listing_id": item.listing_id,
            "title": item.title,
            "price": item.price,
            "you_are": "buyer" if item.buyer_id == user_id else "seller",
            "with": item.seller.name if item.buyer_id == user_id else item.buyer.name,
            "status": item.status,
            "delivery": item.delivery,
            "address": msgspec.to_builtins(item.address) if item.buyer_id == user_id else None,
            "ended_because": item.ended_because,
            "cancel_reason": item.cancel_reason,
            "created_at": item.created_at,
            "paid_at": item.paid_at,
            "completed_at": item.completed_at,
        }
        for item in await render(session, rows, user_id)
    ]
    return Batch(records, rows[-1].id if len(rows) == _PAGE else None)


PERSONAL_DATA = PersonalData(
    feature="orders",
    kinds=(Kind("orders", "What you bought and what was bought of you.", _orders),),
    erase=queries.forget_person,
    kept={"orders.buyer_id": _WHY, "orders.seller_id": _WHY},
)
