"""How orders are shown, to each of the two what concerns them."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.listings.schemas import Cover, Money
from memi.media import service as media
from memi.media.schemas import ImageRead
from memi.orders.lifecycle import Status
from memi.orders.models import Order
from memi.orders.schemas import OrderRead, ShippingAddress
from memi.reservations.schemas import Party
from memi.users import service as users
from memi.users.models import User

_SELLER_MAY_SHIP = frozenset({Status.PENDING, Status.PAID, Status.COMPLETED})


async def render(session: AsyncSession, orders: Sequence[Order], viewer_id: UUID) -> list[OrderRead]:
    """Orders as this one of their two people sees them; any number costs the same few statements."""
    if not orders:
        return []
    ids = {user_id for item in orders for user_id in (item.buyer_id, item.seller_id)}
    people = await users.get_many(session, sorted(ids))
    covers = await media.images(session, sorted({item.cover_upload_id for item in orders if item.cover_upload_id}))
    return [
        OrderRead(
            id=item.id,
            listing_id=item.listing_id,
            reservation_id=item.reservation_id,
            chat_id=item.chat_id,
            buyer_id=item.buyer_id,
            seller_id=item.seller_id,
            status=item.status,
            delivery=item.delivery,
            title=item.title,
            price=Money(item.price_amount, item.currency),
            cover=_cover(covers.get(item.cover_upload_id)) if item.cover_upload_id else None,
            buyer=_party(people[item.buyer_id], item.buyer_name),
            seller=_party(people[item.seller_id], item.seller_name),
            address=_address(item, viewer_id),
            payment_url=item.payment_url if viewer_id == item.buyer_id else None,
            ended_because=item.ended_because,
            cancel_reason=item.cancel_reason,
            expires_at=item.expires_at,
            created_at=item.created_at,
            paid_at=item.paid_at,
            completed_at=item.completed_at,
            version=item.version,
        )
        for item in orders
    ]


def _party(user: User, agreed: str | None) -> Party:
    """By the name that the order was made with, unless the account is gone."""
    name = user.shown_name if agreed is None or user.deleted_at is not None else agreed
    return Party(user.id, name, user.shown_avatar_url)


def _address(order: Order, viewer_id: UUID) -> ShippingAddress | None:
    """The buyer's own; the seller's to see only while the item is to be shipped, or has been."""
    if order.address is None or (viewer_id != order.buyer_id and order.status not in _SELLER_MAY_SHIP):
        return None
    return msgspec.convert(order.address, ShippingAddress)


def _cover(image: ImageRead | None) -> Cover | None:
    if image is None or image.url is None:
        return None
    return Cover(image.url, image.width or 0, image.height or 0, image.blurhash)
