"""The address book: one's own, bounded, with one default."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from support.people import People, Person
from support.sql import Sql

HOME = {"recipient": "Aysel Quliyeva", "line1": "Nizami 12", "city": "BAKU"}


async def add(person: Person, **more: Any) -> dict[str, Any]:
    reply = await person.post("/users/me/addresses", {**HOME, **more})
    assert reply.status_code == 201, reply.text
    return reply.json()


async def book(person: Person) -> list[dict[str, Any]]:
    return (await person.get("/users/me/addresses")).json()["items"]


async def defaults(person: Person) -> list[str]:
    return [item["label"] for item in await book(person) if item["is_default"]]


NOBODYS = "018f0000-0000-7000-8000-000000000000"


class TestWhoMayNot:
    @pytest.mark.parametrize(
        ("method", "path"), [("GET", ""), ("POST", ""), ("PATCH", f"/{NOBODYS}"), ("DELETE", f"/{NOBODYS}")]
    )
    async def test_anonymous(self, client: httpx.AsyncClient, method: str, path: str) -> None:
        reply = await client.request(method, f"/api/v1/users/me/addresses{path}", json=HOME)
        assert (reply.status_code, reply.json()["code"]) == (401, "not_authenticated")

    async def test_others_addresses_look_like_none(self, people: People) -> None:
        owner, stranger, moderator = await people.new(), await people.new(), await people.moderator()
        address = await add(owner)
        for person in (stranger, moderator):
            for address_id in (address["id"], uuid4()):
                changed = await person.patch(f"/users/me/addresses/{address_id}", {"line1": "Elsewhere"})
                removed = await person.delete(f"/users/me/addresses/{address_id}")
                assert (changed.status_code, changed.json()["code"]) == (404, "not_found")
                assert (removed.status_code, removed.json()["code"]) == (404, "not_found")
            assert await book(person) == []
        assert await book(owner) == [address]


class TestAdding:
    async def test_the_first_is_the_default(self, people: People) -> None:
        person = await people.new()
        reply = await person.post("/users/me/addresses", {**HOME, "city": "baku", "phone": "+994501234567"})
        made = reply.json()
        assert reply.headers["location"] == f"/api/v1/users/me/addresses/{made['id']}"
        assert made == {
            "id": made["id"],
            "label": None,
            "recipient": "Aysel Quliyeva",
            "phone": "+994501234567",
            "line1": "Nizami 12",
            "line2": None,
            "city": "BAKU",
            "postal_code": None,
            "is_default": True,
            "created_at": made["created_at"],
        }
        assert (await add(person))["is_default"] is False

    async def test_one_added_as_the_default_takes_its_place(self, people: People) -> None:
        person = await people.new()
        await add(person, label="first")
        await add(person, label="second", is_default=True)
        assert await defaults(person) == ["second"]

    async def test_every_wrong_field_is_named_and_nothing_is_added(self, people: People) -> None:
        person = await people.new()
        body = {"recipient": " ", "phone": "0501234567", "city": "", "is_default": "yes", "country": "AZ"}
        reply = await person.post("/users/me/addresses", body)
        assert reply.status_code == 422
        pointers = {item["pointer"] for item in reply.json()["errors"]}
        assert pointers == {"/recipient", "/phone", "/city", "/is_default", "/country", "/line1"}
        unknown = await person.post("/users/me/addresses", {**HOME, "city": "ATLANTIS"})
        assert [(item["pointer"], item["code"]) for item in unknown.json()["errors"]] == [("/city", "unknown_value")]
        assert await book(person) == []

    async def test_twenty_at_most_however_many_come_at_once(self, people: People) -> None:
        person = await people.new()
        replies = await asyncio.gather(*(person.post("/users/me/addresses", HOME) for _ in range(25)))
        assert Counter(reply.status_code for reply in replies) == {201: 20, 409: 5}
        assert {reply.json()["code"] for reply in replies if reply.status_code == 409} == {"too_many_addresses"}
        assert len(await book(person)) == 20
        assert len(await defaults(person)) == 1


class TestChanging:
    async def test_a_merge_patch_changes_what_it_names(self, people: People) -> None:
        person = await people.new()
        made = await add(person, label="Home", line2="flat 4")
        reply = await person.patch(f"/users/me/addresses/{made['id']}", {"line2": None, "city": "ganja"})
        assert (reply.status_code, reply.json()) == (200, {**made, "line2": None, "city": "GANJA"})
        assert await book(person) == [reply.json()]

    async def test_the_default_moves(self, people: People) -> None:
        person = await people.new()
        await add(person, label="first")
        second = await add(person, label="second")
        assert (await person.patch(f"/users/me/addresses/{second['id']}", {"is_default": True})).status_code == 200
        assert await defaults(person) == ["second"]

    async def test_the_default_cannot_only_be_given_up(self, people: People) -> None:
        person = await people.new()
        made = await add(person, label="first")
        for value in (False, None):
            reply = await person.patch(f"/users/me/addresses/{made['id']}", {"is_default": value, "line1": "x"})
            assert [item["pointer"] for item in reply.json()["errors"]] == ["/is_default"]
        assert await book(person) == [made]

    async def test_what_an_address_needs_cannot_be_cleared(self, people: People) -> None:
        person = await people.new()
        made = await add(person)
        body = {"recipient": None, "line1": None, "city": None, "label": "x"}
        reply = await person.patch(f"/users/me/addresses/{made['id']}", body)
        assert {item["pointer"] for item in reply.json()["errors"]} == {"/recipient", "/line1", "/city"}
        unknown = await person.patch(f"/users/me/addresses/{made['id']}", {"city": "ATLANTIS", "label": "x"})
        assert [item["pointer"] for item in unknown.json()["errors"]] == ["/city"]
        assert await book(person) == [made]

    async def test_many_made_the_default_at_once_leave_one(self, people: People) -> None:
        person = await people.new()
        made = [await add(person, label=str(number)) for number in range(6)]
        replies = await asyncio.gather(
            *(person.patch(f"/users/me/addresses/{item['id']}", {"is_default": True}) for item in made),
            person.delete(f"/users/me/addresses/{made[0]['id']}"),
        )
        assert {reply.status_code for reply in replies[1:]} <= {200, 204}
        assert len(await defaults(person)) == 1
        assert len(await book(person)) == 5


class TestRemoving:
    async def test_the_newest_left_takes_the_place_of_the_default(self, people: People, sql: Sql) -> None:
        person = await people.new()
        first = await add(person, label="first")
        await add(person, label="second")
        third = await add(person, label="third")
        assert (await person.delete(f"/users/me/addresses/{first['id']}")).status_code == 204
        assert await defaults(person) == ["third"]
        assert (await person.delete(f"/users/me/addresses/{first['id']}")).status_code == 404
        assert (await person.delete(f"/users/me/addresses/{third['id']}")).status_code == 204
        assert await defaults(person) == ["second"]
        await person.delete(f"/users/me/addresses/{(await book(person))[0]['id']}")
        assert await sql.value("SELECT count(*) FROM user_addresses WHERE user_id = $1", UUID(person.id)) == 0


class TestListing:
    async def test_pages_neither_skip_nor_repeat(self, people: People) -> None:
        person = await people.new()
        made = [(await add(person))["id"] for _ in range(5)]
        seen: list[str] = []
        cursor = ""
        for size in (2, 2, 1):
            page = (await person.get(f"/users/me/addresses?limit=2{cursor}")).json()
            seen += [item["id"] for item in page["items"]]
            assert len(page["items"]) == size
            cursor = f"&cursor={page['next_cursor']}"
        assert (seen, page["next_cursor"]) == (made[::-1], None)

    async def test_a_cursor_is_its_owner_s(self, people: People) -> None:
        person, other = await people.new(), await people.new()
        for _ in range(2):
            await add(person)
        cursor = (await person.get("/users/me/addresses?limit=1")).json()["next_cursor"]
        for who, value in ((other, cursor), (person, "nonsense")):
            reply = await who.get(f"/users/me/addresses?cursor={value}")
            assert (reply.status_code, reply.json()["code"]) == (422, "invalid_cursor")
        assert (await person.get("/users/me/addresses?limit=0")).status_code == 422
        assert (await person.get("/users/me/addresses?sort=city")).status_code == 422
