"""A way to where each POST of somebody's can be made, for whoever calls them all."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from memi.platform.ids import new_id
from support.cases import Cases
from support.deals import Deal, Deals
from support.items import LEAF, make_listing
from support.orders import Orders
from support.people import People, Person
from support.photos import announce, photo, put
from support.sql import Sql
from support.talks import Talks
from support.uploads import make_upload

Call = tuple[Person, str, Any]
"""Who calls what, and with which body; below `/api/v1`."""


@dataclass
class Ways:
    """How to come to where a call can be made."""

    people: People
    deals: Deals
    orders: Orders
    talks: Talks
    cases: Cases
    sql: Sql

    async def seller(self) -> Person:
        return await self.people.new("Murad")

    async def item(self, status: str = "ACTIVE") -> tuple[Person, str]:
        """A listing that was published as its seller would."""
        seller = await self.seller()
        made = await make_listing(seller, self.sql, publish=status != "DRAFT")
        if status == "RESERVED":
            assert (await seller.post(f"/listings/{made['id']}/reserve")).status_code == 200
        elif status == "EXPIRED":
            await self.sql.execute("UPDATE listings SET status = 'EXPIRED' WHERE id = $1", UUID(made["id"]))
        return seller, made["id"]


Way = Callable[[Ways], Awaitable[Call]]


def owner(move: str, status: str) -> Way:
    async def go(ways: Ways) -> Call:
        seller, item = await ways.item(status)
        return seller, f"/listings/{item}/{move}", None

    return go


def reservation(move: str, *, accepted: bool = False) -> Way:
    async def go(ways: Ways) -> Call:
        deal: Deal = await (ways.deals.accepted() if accepted else ways.deals.new())
        return deal.seller, f"/reservations/{deal.id}/{move}", None

    return go


def order(move: str) -> Way:
    async def go(ways: Ways) -> Call:
        purchase = await ways.orders.new()
        return purchase.buyer, f"/orders/{purchase.id}/{move}", None

    return go


async def address(ways: Ways) -> Call:
    body = {"recipient": "Leyla H.", "phone": "+994501112233", "line1": "Nizami 7", "city": "BAKU", "label": "Home"}
    return await ways.people.new(), "/users/me/addresses", body


async def notification(ways: Ways, *, one: bool) -> Call:
    person, notification_id = await ways.people.new(), new_id()
    await ways.sql.execute(
        "INSERT INTO notifications (id, user_id, type, event, data, dedupe_key) "
        "VALUES ($1, $2, 'GENERIC', 'a', '{}', 'a')",
        notification_id,
        UUID(person.id),
    )
    return person, f"/notifications/{notification_id}/read" if one else "/notifications/read-all", None


async def one_notification(ways: Ways) -> Call:
    return await notification(ways, one=True)


async def all_notifications(ways: Ways) -> Call:
    return await notification(ways, one=False)


async def upload(ways: Ways) -> Call:
    body = {"content_type": "image/jpeg", "size": 1234, "filename": "coat.jpg"}
    return await ways.seller(), "/uploads", body


async def uploaded(ways: Ways) -> Call:
    seller, data = await ways.seller(), photo()
    ticket = await announce(seller, data)
    assert (await put(seller.client, ticket, data)).status_code == 200
    return seller, f"/uploads/{ticket['id']}/complete", None


async def listing(ways: Ways) -> Call:
    seller = await ways.seller()
    price = {"amount": 4500, "currency": "AZN"}
    body = {"title": "Wool coat", "price": price, "condition": "VERY_GOOD", "category": LEAF, "publish": True}
    return seller, "/listings", {**body, "images": [await make_upload(ways.sql, seller.id)]}


async def chat(ways: Ways) -> Call:
    _, item = await ways.item()
    return await ways.people.new(), f"/listings/{item}/chat", {"body": "Salam"}


async def message(ways: Ways) -> Call:
    talk = await ways.talks.new()
    return talk.seller, f"/chats/{talk.id}/messages", {"body": "Salam"}


async def reading(ways: Ways) -> Call:
    talk = await ways.talks.new()
    return talk.seller, f"/chats/{talk.id}/read", {"seq": 1}


async def request(ways: Ways) -> Call:
    _, item = await ways.item()
    return await ways.people.new(), f"/listings/{item}/reservations", {"message": "Until Friday, please"}


async def purchase(ways: Ways) -> Call:
    _, item = await ways.item()
    return await ways.people.new(), "/orders", {"listing_id": item, "delivery": "MEETUP"}


async def removal(ways: Ways) -> Call:
    _, item = await ways.item()
    return await ways.people.moderator(), f"/admin/listings/{item}/remove", {"reason": "Counterfeit"}


async def restoration(ways: Ways) -> Call:
    moderator, path, body = await removal(ways)
    assert (await moderator.post(path, body)).status_code == 200
    return moderator, path.replace("remove", "restore"), body


async def blocking(ways: Ways) -> Call:
    person = await ways.people.new()
    return await ways.people.admin(), f"/admin/users/{person.id}/block", {"reason": "Fraud"}


async def unblocking(ways: Ways) -> Call:
    admin, path, body = await blocking(ways)
    assert (await admin.post(path, body)).status_code == 200
    return admin, path.replace("block", "unblock"), body


async def report(ways: Ways) -> Call:
    _, item = await ways.item()
    return await ways.people.new(), "/reports", {"target_type": "LISTING", "target_id": item, "reason": "COUNTERFEIT"}


async def claim(ways: Ways) -> Call:
    case = await ways.cases.new()
    return await ways.people.moderator(), f"/admin/reports/{case.id}/claim", None


async def resolution(ways: Ways) -> Call:
    case, moderator = await ways.cases.new(), await ways.people.moderator()
    assert (await case.claim(moderator)).status_code == 200
    return moderator, f"/admin/reports/{case.id}/resolve", {"action": "DISMISS"}


async def appeal(ways: Ways) -> Call:
    case = await ways.cases.new()
    await case.decided(await ways.people.moderator(), "REMOVE_LISTING")
    return case.subject, f"/reports/{case.id}/appeal", {"text": "It is genuine."}


async def decision(ways: Ways) -> Call:
    case = await ways.cases.new()
    await case.decided(await ways.people.moderator(), "REMOVE_LISTING")
    body = {"decision": "UPHOLD", "statement": "It is not."}
    return await ways.people.moderator(), f"/admin/appeals/{await case.appealed()}/decide", body


async def account(ways: Ways) -> Call:
    admin, person = await ways.people.admin(), await ways.people.new()
    gone = await admin.request("DELETE", f"/admin/users/{person.id}", json={"reason": "Asked by mail"})
    assert gone.status_code == 200, gone.text
    return admin, f"/admin/users/{person.id}/restore", {"reason": "A mistake"}


async def sessions(ways: Ways) -> Call:
    person = await ways.people.new()
    return await ways.people.admin(), f"/admin/users/{person.id}/sessions/end", {"reason": "Stolen phone"}


async def flagged_message(ways: Ways) -> Call:
    talk, flag_id = await ways.talks.new(), uuid4()
    await ways.sql.execute(
        "INSERT INTO message_flags (id, message_id, kind, source)"
        " SELECT $1, id, 'CONTACT', 'RULE' FROM messages WHERE chat_id = $2",
        flag_id,
        UUID(talk.id),
    )
    return await ways.people.moderator(), f"/admin/message-flags/{flag_id}/resolve", {"reason": "Harmless"}


def dead_job(move: str, *, many: bool = False) -> Way:
    async def go(ways: Ways) -> Call:
        job_id = uuid4()
        await ways.sql.execute(
            "INSERT INTO dead_jobs (id, name, payload, attempts, error) VALUES ($1, 'a.job', '{}', 8, 'no')", job_id
        )
        if many:
            return await ways.people.admin(), f"/admin/jobs/dead/{move}", {"name": "a.job", "reason": "Mail is back"}
        return await ways.people.admin(), f"/admin/jobs/dead/{job_id}/{move}", None

    return go


async def flag(ways: Ways) -> Call:
    _, item = await ways.item()
    return await ways.people.moderator(), f"/admin/listings/{item}/flags", {"kind": "SPAM"}


async def flag_seen(ways: Ways) -> Call:
    moderator, path, body = await flag(ways)
    raised = await moderator.post(path, body)
    return moderator, f"{path}/{raised.json()['id']}/resolve", {}


async def words(ways: Ways) -> Call:
    talk = await ways.talks.new()
    assert (await talk.buyer.delete("/users/me")).status_code == 204
    await ways.sql.execute("UPDATE users SET erase_after = now() WHERE id = $1", UUID(talk.buyer.id))
    await ways.sql.execute(
        "UPDATE users SET erased_at = now(), password_hash = NULL, email = 'deleted-' || id || '@deleted.invalid'"
        " WHERE id = $1",
        UUID(talk.buyer.id),
    )
    return await ways.people.admin(), f"/admin/users/{talk.buyer.id}/erase-words", {"reason": "Asked by mail"}


def many(kind: str, action: str) -> Way:
    async def go(ways: Ways) -> Call:
        seller, item = await ways.item()
        ids = [item if kind == "listings" else seller.id]
        return await ways.people.admin(), f"/admin/bulk/{kind}", {"action": action, "ids": ids, "reason": "Fraud"}

    return go


async def category(ways: Ways) -> Call:
    name = {"az": "Ponçolar", "en": "Ponchos", "ru": "Пончо"}
    return await ways.people.admin(), "/admin/categories", {"slug": "ponchos", "parent": "women-clothes", "name": name}


async def replaying(ways: Ways) -> Call:
    return await ways.people.admin(), "/search/index/replay", {"scope": "all"}


WAYS: dict[str, Way] = {
    "/users/me/addresses": address,
    "/notifications/{notification_id}/read": one_notification,
    "/notifications/read-all": all_notifications,
    "/uploads": upload,
    "/uploads/{upload_id}/complete": uploaded,
    "/listings": listing,
    "/listings/{listing_id}/publish": owner("publish", "DRAFT"),
    "/listings/{listing_id}/unpublish": owner("unpublish", "ACTIVE"),
    "/listings/{listing_id}/reserve": owner("reserve", "ACTIVE"),
    "/listings/{listing_id}/unreserve": owner("unreserve", "RESERVED"),
    "/listings/{listing_id}/sold": owner("sold", "ACTIVE"),
    "/listings/{listing_id}/relist": owner("relist", "EXPIRED"),
    "/listings/{listing_id}/chat": chat,
    "/chats/{chat_id}/messages": message,
    "/chats/{chat_id}/read": reading,
    "/listings/{listing_id}/reservations": request,
    "/reservations/{reservation_id}/accept": reservation("accept"),
    "/reservations/{reservation_id}/reject": reservation("reject"),
    "/reservations/{reservation_id}/cancel": reservation("cancel", accepted=True),
    "/reservations/{reservation_id}/complete": reservation("complete", accepted=True),
    "/orders": purchase,
    "/orders/{order_id}/cancel": order("cancel"),
    "/orders/{order_id}/complete": order("complete"),
    "/admin/listings/{listing_id}/remove": removal,
    "/admin/listings/{listing_id}/restore": restoration,
    "/admin/listings/{listing_id}/flags": flag,
    "/admin/listings/{listing_id}/flags/{flag_id}/resolve": flag_seen,
    "/admin/bulk/listings": many("listings", "REMOVE"),
    "/admin/bulk/users": many("users", "BLOCK"),
    "/admin/categories": category,
    "/search/index/replay": replaying,
    "/admin/users/{user_id}/block": blocking,
    "/admin/users/{user_id}/unblock": unblocking,
    "/admin/users/{user_id}/restore": account,
    "/admin/users/{user_id}/sessions/end": sessions,
    "/admin/users/{user_id}/erase-words": words,
    "/reports": report,
    "/reports/{report_id}/appeal": appeal,
    "/admin/reports/{report_id}/claim": claim,
    "/admin/reports/{report_id}/resolve": resolution,
    "/admin/appeals/{appeal_id}/decide": decision,
    "/admin/message-flags/{flag_id}/resolve": flagged_message,
    "/admin/jobs/dead/{job_id}/retry": dead_job("retry"),
    "/admin/jobs/dead/{job_id}/discard": dead_job("discard"),
    "/admin/jobs/dead/retry": dead_job("retry", many=True),
    "/admin/jobs/dead/discard": dead_job("discard", many=True),
}
