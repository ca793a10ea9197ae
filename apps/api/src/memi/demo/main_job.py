"""The main job, played against a running service by people who are new to it.

Somebody lists an item with a photo, another finds it, they chat live, it is reserved and sold, a moderator takes
something down, and everyone who should hear of it does. Every answer is checked.
"""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
from websockets.exceptions import WebSocketException

from memi.demo.logins import MODERATOR
from memi.demo.pictures import draw_picture
from memi.demo.visitor import Json, Visitor, WrongAnswer, expect

_CATEGORY, _BRANCH = "women-clothes-dresses-summer", "women-clothes"
_PRICE = 6500

Report = Callable[[str, float, str | None], None]
"""Told (step, milliseconds, what was wrong or None)."""


class StepFailed(Exception):
    """A step went wrong; the message names it."""


class MainJob:
    """One performance. `report` hears of each step as it ends."""

    def __init__(self, http: httpx.AsyncClient, moderator_password: str, report: Report) -> None:
        self._seller, self._buyer, self._rival, self._moderator = (Visitor(http) for _ in range(4))
        self._anyone = Visitor(http)
        self._password = moderator_password
        self._report = report
        # A word that nothing else in the shop has, so that the search finds this item and no other.
        self._word = f"moda{uuid4().hex[:8]}"
        self._listing = self._spare = self._chat = self._reservation = self._rival_reservation = ""

    async def play(self) -> None:
        """Raises `StepFailed` at the first wrong answer."""
        acts: tuple[tuple[str, Callable[[], Awaitable[None]]], ...] = (
            ("A seller, two buyers and a moderator sign in", self._sign_in),
            ("The seller uploads a photo and lists a dress", self._list_item),
            ("A stranger may not change it", self._stay_out),
            ("A buyer finds it by words and filters, and likes it", self._find),
            ("They chat live, and resume after a lost connection", self._chat_live),
            ("Both buyers ask to reserve it, one is accepted", self._reserve),
            ("The dress is handed over and sold", self._sell),
            ("A moderator takes another listing down, and puts it back", self._moderate),
            ("Everyone heard of what concerns them", self._hear),
        )
        for title, act in acts:
            async with self._step(title):
                await act()

    @asynccontextmanager
    async def _step(self, title: str) -> AsyncGenerator[None]:
        started = time.perf_counter()
        wrong: str | None = None
        try:
            yield
        except WrongAnswer as error:
            wrong = str(error)
        except (httpx.HTTPError, WebSocketException, OSError) as error:
            wrong = f"the service cannot be reached: {type(error).__name__}: {error}"
        except (KeyError, TypeError, IndexError) as error:
            wrong = f"the answer has another shape: {type(error).__name__}: {error}"
        self._report(title, (time.perf_counter() - started) * 1000, wrong)
        if wrong is not None:
            raise StepFailed(f"{title}: {wrong}")

    async def _sign_in(self) -> None:
        for visitor, name in ((self._seller, "Leyla"), (self._buyer, "Tural"), (self._rival, "Nərmin")):
            await visitor.register(name)
            me = await visitor.call("GET", "/users/me")
            expect(me["name"] == name, f"/users/me says {me['name']}")
        await self._moderator.login(MODERATOR.email, self._password)
        await self._anyone.refused("GET", "/users/me", status=401, code="not_authenticated")

    async def _list_item(self) -> None:
        self._listing = await self._offer(f"Yay donu Mango {self._word}", "#c0392b")
        self._spare = await self._offer(f"Don Zara başqa{self._word}", "#27496d")
        listing = await self._anyone.call("GET", f"/listings/{self._listing}")
        expect(listing["status"] == "ACTIVE", f"the listing is {listing['status']}")
        expect(listing["images"][0]["url"] is not None, "the listing shows its picture")
        picture = await self._anyone.http.get(listing["images"][0]["url"])
        expect(picture.status_code == 200, f"the picture answers {picture.status_code}")
        expect(picture.headers["content-type"] == "image/webp", f"the picture is {picture.headers['content-type']}")

    async def _offer(self, title: str, color_hex: str) -> str:
        photo = draw_picture(len(title), category=_CATEGORY, color_hex=color_hex, width=1080, height=1440)
        entered = {
            "title": title,
            "description": "Bir dəfə geyinilib, ölçüsü olmadı.",
            "price": {"amount": _PRICE, "currency": "AZN"},
            "condition": "VERY_GOOD",
            "category": _CATEGORY,
            "size": "M",
            "color": "RED",
            "brand": "Mango",
            "city": "BAKU",
            "images": [await self._seller.upload("dress.jpg", photo)],
        }
        draft = await self._seller.call("POST", "/listings", entered, status=201)
        expect(draft["status"] == "DRAFT", f"a new listing is {draft['status']}")
        await self._anyone.refused("GET", f"/listings/{draft['id']}", status=404, code="not_found")
        shown = await self._seller.call("POST", f"/listings/{draft['id']}/publish")
        expect(shown["status"] == "ACTIVE", f"a published listing is {shown['status']}")
        return str(draft["id"])

    async def _stay_out(self) -> None:
        path = f"/listings/{self._listing}"
        await self._buyer.call("PATCH", path, {"title": "Mine now"}, status=403)
        await self._anyone.call("POST", f"{path}/sold", status=401)
        await self._buyer.call("POST", f"/admin{path}/remove", {"reason": "because"}, status=403)

    async def _find(self) -> None:
        found = await self._browse(q=self._word, category=_BRANCH, size="M", color="RED", max_price=_PRICE)
        expect([card["id"] for card in found] == [self._listing], f"the search found {len(found)} items")
        expect(found[0]["cover"]["url"] is not None, "the card has a cover")
        expect(not await self._browse(q=self._word, max_price=_PRICE - 1), "the price filter leaves it out")
        expect(not await self._browse(q=self._word, category="men"), "the category filter leaves it out")
        await self._buyer.call("PUT", f"/listings/{self._listing}/favorite", status=204)
        card = (await self._browse(q=self._word))[0]
        expect((card["is_favorite"], card["favorite_count"]) == (True, 1), "the card shows the favourite")

    async def _browse(self, **query: Any) -> list[Json]:
        return (await self._buyer.call("GET", "/listings", **query))["items"]

    async def _chat_live(self) -> None:
        await self._seller.refused(
            "POST", f"/listings/{self._listing}/chat", {"body": "Hello?"}, status=403, code="seller_cannot_start"
        )
        async with self._seller.online() as seller:
            opened = await self._buyer.call(
                "POST", f"/listings/{self._listing}/chat", {"body": "Salam, hələ satılır?"}, status=201
            )
            self._chat = opened["chat"]["id"]
            first = await seller.event("message.created", self._is_here)
            expect((first["seq"], first["body"]) == (1, "Salam, hələ satılır?"), f"the seller got {first}")
            async with self._buyer.online() as buyer:
                answer = {"chat_id": self._chat, "body": "Bəli, buyurun.", "client_id": str(uuid4())}
                sent = await seller.command("chat.send", answer)
                again = await seller.command("chat.send", answer)
                expect(sent["id"] == again["id"], "a repeated client_id is the same message")
                got = await buyer.event("message.created", self._is_here)
                expect((got["id"], got["seq"]) == (sent["id"], 2), f"the buyer got {got}")
            await seller.command("chat.send", {**answer, "body": "Metroda görüşək?", "client_id": str(uuid4())})
        async with self._buyer.online() as buyer:
            missed = await buyer.command("subscribe", {"chat_id": self._chat, "after_seq": 2})
            expect([item["seq"] for item in missed["items"]] == [3], f"the buyer resumed with {missed}")
            expect(not buyer.unread("message.created"), "nothing comes twice")
        await self._rival.call("GET", f"/chats/{self._chat}", status=404)

    def _is_here(self, message: Json) -> bool:
        return message["chat_id"] == self._chat or not self._chat

    async def _reserve(self) -> None:
        path = f"/listings/{self._listing}/reservations"
        asked = await self._buyer.call("POST", path, {"message": "Sabah götürərəm"}, status=201)
        self._reservation = asked["id"]
        self._rival_reservation = (await self._rival.call("POST", path, {}, status=201))["id"]
        await self._buyer.call("POST", f"/reservations/{self._reservation}/accept", status=403)
        accepted = await self._seller.call("POST", f"/reservations/{self._reservation}/accept")
        expect(accepted["status"] == "ACCEPTED", f"the reservation is {accepted['status']}")
        await self._seller.call("POST", f"/reservations/{self._rival_reservation}/accept", status=409)
        card = (await self._browse(q=self._word))[0]
        expect(card["status"] == "RESERVED", f"the card says {card['status']}")

    async def _sell(self) -> None:
        done = await self._seller.call("POST", f"/reservations/{self._reservation}/complete")
        expect(done["status"] == "COMPLETED", f"the reservation is {done['status']}")
        listing = await self._anyone.call("GET", f"/listings/{self._listing}")
        expect(listing["status"] == "SOLD", f"the listing is {listing['status']}")
        expect(not await self._browse(q=self._word), "what is sold is not browsed")
        other = await self._rival.call("GET", f"/reservations/{self._rival_reservation}")
        expect(other["status"] in ("REJECTED", "CANCELLED"), f"the other request is {other['status']}")
        await self._seller.refused("POST", f"/listings/{self._listing}/publish", status=409, code="illegal_transition")

    async def _moderate(self) -> None:
        path = f"/listings/{self._spare}"
        removed = await self._moderator.call("POST", f"/admin{path}/remove", {"reason": "A counterfeit, we suspect"})
        expect(removed["status"] == "REMOVED", f"the listing is {removed['status']}")
        await self._anyone.refused("GET", path, status=404, code="not_found")
        mine = await self._seller.call("GET", path)
        expect(mine["status"] == "REMOVED", f"its owner sees {mine['status']}")
        log = await self._moderator.call("GET", "/admin/audit", limit=50)
        expect(any(entry["target_id"] == self._spare for entry in log["items"]), "the audit log has the removal")
        restored = await self._moderator.call("POST", f"/admin{path}/restore", {"reason": "It is genuine"})
        expect(restored["status"] == "ACTIVE", f"the restored listing is {restored['status']}")
        await self._anyone.call("GET", path)

    async def _hear(self) -> None:
        await self._seller.notified("message.created", self._chat)
        await self._buyer.notified("message.created", self._chat)
        await self._seller.notified("reservation.requested", self._reservation)
        await self._seller.notified("reservation.requested", self._rival_reservation)
        await self._buyer.notified("reservation.accepted", self._reservation)
        await self._buyer.notified("reservation.completed", self._reservation)
        await self._rival.eventually(
            "/notifications",
            lambda page: [item for item in page["items"] if self._rival_reservation in item["data"].values()],
            "the other buyer hears that it is gone",
        )
        await self._seller.notified("moderation.decided", self._spare)
        await self._seller.notified("listing.restored", self._spare)
