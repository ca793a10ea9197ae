"""Who hears of what. Each runs once per event; the dedupe keys hold even if it ran again."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth.events import ImpersonationBegan
from memi.chat.events import MessageSent
from memi.chat.guards import participant
from memi.listings import service as listings
from memi.listings.events import ListingExpiring, ListingMoved, Move, PriceDropped
from memi.notifications import fanout, service
from memi.orders.events import OrderChanged
from memi.platform.events import durable
from memi.platform.ids import new_id
from memi.reports import telling
from memi.reports.events import AppealDecided, ReportsResolved
from memi.reports.models import Report
from memi.reservations.events import ReservationChanged
from memi.users import service as users
from memi.users.events import UserUnblocked

_TO_FAVOURITERS: dict[Move, str] = {
    "reserve": "listing.reserved",
    "unreserve": "listing.available",
    "relist": "listing.available",
    "sold": "listing.sold",
}


@durable(MessageSent)
async def tell_recipient(event: MessageSent, session: AsyncSession) -> None:
    """The other side of the chat hears of a message."""
    sender = await participant(session, event.chat_id, event.sender_id)
    people = await users.get_many(session, [event.sender_id])
    data = {
        "chat_id": str(event.chat_id),
        "message_id": str(event.message_id),
        "sender_id": str(event.sender_id),
        "sender_name": people[event.sender_id].shown_name,
        **await _about(session, sender.chat.listing_id),
    }
    await service.notify(session, sender.other_id, "MESSAGE", "message.created", data, f"message:{event.message_id}")


@durable(ReservationChanged)
async def tell_other_side(event: ReservationChanged, session: AsyncSession) -> None:
    """Whoever did not do it hears of it; of what nobody did, those whom it concerns."""
    people = await users.get_many(session, [event.buyer_id, event.seller_id])
    data = {
        "reservation_id": str(event.reservation_id),
        "chat_id": str(event.chat_id),
        "reason": event.reason,
        **await _about(session, event.listing_id),
    }
    for user_id in recipients(event):
        other = people.get(event.buyer_id if user_id == event.seller_id else event.seller_id)
        await service.notify(
            session,
            user_id,
            "RESERVATION",
            f"reservation.{event.change}",
            {**data, "other_name": other.shown_name if other else None},
            f"reservation:{event.reservation_id}:{event.change}",
        )


def recipients(event: ReservationChanged) -> list[UUID]:
    """A lapse concerns both; a move of the listing is the seller's or staff's, so the buyer is told of it."""
    if event.actor_id == event.buyer_id:
        return [event.seller_id]
    if event.actor_id == event.seller_id:
        return [event.buyer_id]
    if event.reason == "lapsed":
        return [event.buyer_id, event.seller_id]
    return [event.seller_id if event.reason in ("buyer_blocked", "buyer_deleted") else event.buyer_id]


@durable(OrderChanged)
async def tell_of_order(event: OrderChanged, session: AsyncSession) -> None:
    """The other side hears of an order; of what neither of the two did, those whom it concerns."""
    people = await users.get_many(session, [event.buyer_id, event.seller_id])
    data = {
        "order_id": str(event.order_id),
        "chat_id": str(event.chat_id),
        "reason": event.reason,
        **await _about(session, event.listing_id),
    }
    for user_id in order_recipients(event):
        other = people.get(event.buyer_id if user_id == event.seller_id else event.seller_id)
        await service.notify(
            session,
            user_id,
            "ORDER",
            f"order.{event.change}",
            {**data, "other_name": other.shown_name if other else None},
            f"order:{event.order_id}:{event.change}",
        )


def order_recipients(event: OrderChanged) -> list[UUID]:
    """Money and time concern both; otherwise as with reservations."""
    if event.actor_id == event.buyer_id:
        return [event.seller_id]
    if event.actor_id == event.seller_id:
        return [event.buyer_id]
    if event.reason in ("lapsed", "payment_failed") or event.change in ("paid", "refunded"):
        return [event.buyer_id, event.seller_id]
    return [event.seller_id if event.reason in ("buyer_blocked", "buyer_deleted") else event.buyer_id]


@durable(ListingMoved)
async def tell_of_move(event: ListingMoved, session: AsyncSession) -> None:
    """The seller hears of what others did to the listing; whoever likes it, whether it can still be had."""
    about = await _about(session, event.listing_id)
    # A listing may go the same way again, so the key names this time; the event's receipt keeps it to one.
    key = f"moved:{new_id()}"
    # A removal is always decided, and told with its reasons by `tell_of_decision`.
    if event.move in ("restore", "undelete"):
        await service.notify(session, event.seller_id, "MODERATION", "listing.restored", about, key)
    elif event.move == "expire":
        await service.notify(session, event.seller_id, "LISTING", "listing.expired", about, key)
    # A blocked seller's items come free, but nobody can have them.
    if event.move in _TO_FAVOURITERS and about["available"]:
        untold = [event.seller_id, *([event.holder_id] if event.holder_id else [])]
        await fanout.begin(session, event.listing_id, _TO_FAVOURITERS[event.move], about, untold)


@durable(PriceDropped)
async def tell_of_price(event: PriceDropped, session: AsyncSession) -> None:
    """Whoever likes it hears that it costs less, in minor units."""
    about = await _about(session, event.listing_id)
    if not about["available"]:
        return  # it was taken down meanwhile: nobody else may hear anything of it
    data = {**about, "before": event.before, "after": event.after}
    await fanout.begin(session, event.listing_id, "listing.price_dropped", data, [event.seller_id])


@durable(ListingExpiring)
async def tell_of_coming_end(event: ListingExpiring, session: AsyncSession) -> None:
    """The seller has three days to decide."""
    about = await _about(session, event.listing_id)
    await service.notify(session, event.seller_id, "LISTING", "listing.expiring", about, f"expiring:{new_id()}")


@durable(UserUnblocked)
async def tell_unblocked(event: UserUnblocked, session: AsyncSession) -> None:
    """Of a block they hear as of every decision, with its reasons."""
    await service.notify(session, event.user_id, "MODERATION", "account.unblocked", {}, f"unblocked:{new_id()}")


@durable(ImpersonationBegan)
async def tell_of_impersonation(event: ImpersonationBegan, session: AsyncSession) -> None:
    """Whoever's account it is hears that staff acted in it, when, and not who: that the audit log knows."""
    data = {"at": event.at, "until": event.expires_at}
    key = f"impersonation:{event.impersonation_id}"
    await service.notify(session, event.user_id, "GENERIC", "account.impersonated", msgspec.to_builtins(data), key)


@durable(ReportsResolved)
async def tell_of_decision(event: ReportsResolved, session: AsyncSession) -> None:
    """The affected person reads why, and until when they may appeal; reporters hear whether something was done."""
    decided = await telling.of_decision(session, event.decision_id)
    if decided.action != "DISMISS":
        data = {
            **_reported(decided.report),
            "action": decided.action,
            "statement": decided.statement,
            "appeal_until": decided.appeal_until,
        }
        if decided.report.target_type == "LISTING":
            data |= await _about(session, decided.report.target_id)
        await _tell_of_moderation(session, decided.subject_id, "moderation.decided", data, event.decision_id)
    for report in decided.reports:
        data = {**_reported(report), "outcome": decided.outcome}
        await _tell_of_moderation(session, report.reporter_id, "report.resolved", data, report.id)


@durable(AppealDecided)
async def tell_of_appeal(event: AppealDecided, session: AsyncSession) -> None:
    """Both hear of it: whoever appealed with the reasons, reporters what has become of their report."""
    decided, status, statement = await telling.of_appeal(session, event.appeal_id)
    data = {**_reported(decided.report), "action": decided.action, "status": status, "statement": statement}
    await _tell_of_moderation(session, decided.subject_id, "appeal.decided", data, event.appeal_id)
    for report in decided.reports:
        data = {**_reported(report), "outcome": decided.outcome}
        await _tell_of_moderation(session, report.reporter_id, "report.appeal_decided", data, report.id)


def _reported(report: Report) -> dict[str, Any]:
    return {"report_id": report.id, "target_type": report.target_type, "target_id": report.target_id}


async def _tell_of_moderation(
    session: AsyncSession, user_id: UUID, event: str, data: dict[str, Any], about: UUID
) -> None:
    await service.notify(session, user_id, "MODERATION", event, msgspec.to_builtins(data), f"{event}:{about}")


async def _about(session: AsyncSession, listing_id: UUID) -> dict[str, Any]:
    """What a front end needs to word and link the news of a listing."""
    stub = (await listings.stubs(session, [listing_id])).get(listing_id)
    return {
        "listing_id": str(listing_id),
        "listing_title": stub.title if stub else None,
        "listing_status": stub.status if stub else None,
        "available": bool(stub and stub.available),
        "listing_cover_url": stub.cover.url if stub and stub.cover else None,
        "price": msgspec.to_builtins(stub.price) if stub else None,
    }
