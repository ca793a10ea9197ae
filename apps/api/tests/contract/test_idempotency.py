"""Every POST that needs a caller, takes an Idempotency-Key: sent again it does nothing."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from memi.app import create_litestar
from memi.platform.idempotency import is_repeatable
from memi.platform.ids import new_id
from memi.platform.settings import Environment, Settings
from memi.wiring import open_runtime
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
NEVER = {"/webhooks/payments", "/notifications/unsubscribe/{token}", "/reports/block", "/reports/block/appeal"}
NEVER |= {"/admin/users/{user_id}/impersonate"}
"""Nobody calls these, or their replies must not be kept; everything under `/auth` is one of them."""


def posts() -> dict[str, bool]:
    """Every POST below `/api/v1`, and whether it takes a key."""
    settings = Settings(_env_file=None, env=Environment.TEST)
    app: Litestar = create_litestar(settings, lambda: open_runtime(settings, ""))
    return {
        handler_path(route): is_repeatable(handler, route.path)
        for route in app.routes
        if isinstance(route, HTTPRoute) and route.path.startswith("/api/v1")
        for handler in route.route_handlers
        if "POST" in handler.http_methods
    }


def handler_path(route: HTTPRoute) -> str:
    return route.path.removeprefix("/api/v1").replace(":uuid", "").replace(":str", "")


def test_every_post_of_somebodys_takes_a_key_but_under_auth() -> None:
    found = posts()
    assert {path for path, takes in found.items() if takes} == set(WAYS)
    assert {path for path, takes in found.items() if not takes and not path.startswith("/auth/")} == NEVER


@pytest.fixture(scope="module")
async def ways(people: People, sql: Sql) -> Ways:
    deals = Deals(people, sql)
    talks = Talks(people, sql)
    return Ways(people, deals, Orders(deals, people, sql), talks, Cases(people, talks, sql), sql)


ARRIVALS = ["auth_sessions", "idempotency_keys", "usage_events", "usage_day_salts"]


async def everything(sql: Sql) -> dict[str, Any]:
    """All that is stored, but what merely being here changes."""
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL ($1) ORDER BY 1"
    names = [row["tablename"] for row in await sql.rows(tables, ARRIVALS)]
    return {
        name: await sql.value(f"SELECT coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {name} AS t")
        for name in names
    }


@pytest.mark.parametrize("path", WAYS)
async def test_sent_again_under_its_key_it_does_nothing_and_says_the_same(ways: Ways, path: str) -> None:
    person, where, body = await WAYS[path](ways)
    headers, before = {"Idempotency-Key": uuid4().hex}, await everything(ways.sql)
    first = await person.post(where, body, headers=headers)
    assert first.status_code < 300, first.text
    done = await everything(ways.sql)
    assert done != before
    again = await person.post(where, body, headers=headers)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert {name: first.headers.get(name) for name in ("etag", "location")} == {
        name: again.headers.get(name) for name in ("etag", "location")
    }
    other = await person.post(where, {"something": "else"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert await everything(ways.sql) == done


async def test_a_message_and_its_stored_reply_go_together(ways: Ways, client: httpx.AsyncClient) -> None:
    """The hottest write has a way of its own; under a key it is part of the request's transaction."""
    talk, key = await ways.talks.new(), uuid4().hex
    await ways.sql.execute(
        "CREATE FUNCTION refuse_key() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        "CREATE TRIGGER refuse BEFORE INSERT ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION refuse_key()"
    )
    path, body, headers = f"/chats/{talk.id}/messages", {"body": "Once"}, {"Idempotency-Key": key}
    try:
        assert (await talk.seller.post(path, body, headers=headers)).status_code == 500
    finally:
        await ways.sql.execute("DROP TRIGGER refuse ON idempotency_keys; DROP FUNCTION refuse_key()")
    said = "SELECT count(*) FROM messages WHERE chat_id = $1 AND body = 'Once'"
    assert await ways.sql.value(said, UUID(talk.id)) == 0
    replies = [await talk.seller.post(path, body, headers=headers) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [201, 201]
    assert replies[1].headers["idempotent-replayed"] == "true"
    assert await ways.sql.value(said, UUID(talk.id)) == 1
