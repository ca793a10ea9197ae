"""A person's picture: an upload of their own, shown small, claimed for as long as it is theirs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from support.deals import Deals
from support.people import People, Person
from support.sql import Sql
from support.uploads import make_upload

_CLAIMS = "SELECT upload_id, claimant FROM upload_claims WHERE claimant = $1 ORDER BY upload_id"


async def claims(sql: Sql, person: Person) -> list[str]:
    return [str(row["upload_id"]) for row in await sql.rows(_CLAIMS, f"user:{person.id}")]


async def me(person: Person) -> dict[str, Any]:
    return (await person.get("/users/me")).json()


class TestChoosing:
    async def test_a_ready_upload_of_one_s_own_is_shown_and_claimed(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        person = await people.new()
        upload = await make_upload(sql, person.id)
        reply = await person.patch("/users/me", {"avatar": upload}, headers={"If-Match": '"1"'})
        assert reply.status_code == 200, reply.text
        assert (reply.json()["avatar"], reply.json()["version"], reply.headers["etag"]) == (upload, 2, '"2"')
        url = reply.json()["avatar_url"]
        assert url.endswith(f"/{upload}.webp")
        assert (await client.get(f"/api/v1/users/{person.id}")).json()["avatar_url"] == url
        assert await claims(sql, person) == [upload]
        assert await sql.value("SELECT unclaimed_since FROM uploads WHERE id = $1", UUID(upload)) is None

    async def test_the_narrowest_rendition_is_shown(self, people: People, sql: Sql) -> None:
        person = await people.new()
        upload = await make_upload(sql, person.id)
        await sql.execute(
            """
            UPDATE uploads SET renditions = '[
                {"key": "public/big.webp", "width": 1600, "height": 2000, "content_type": "image/webp"},
                {"key": "public/tiny.avif", "width": 160, "height": 200, "content_type": "image/avif"},
                {"key": "public/small.webp", "width": 320, "height": 400, "content_type": "image/webp"}]'
            WHERE id = $1
            """,
            UUID(upload),
        )
        shown = (await person.patch("/users/me", {"avatar": upload})).json()
        assert shown["avatar_url"].endswith("/small.webp")

    async def test_another_one_lets_the_old_one_go(self, people: People, sql: Sql) -> None:
        person = await people.new()
        first, second = await make_upload(sql, person.id), await make_upload(sql, person.id)
        await person.patch("/users/me", {"avatar": first})
        changed = (await person.patch("/users/me", {"avatar": second})).json()
        assert (changed["avatar"], changed["version"]) == (second, 3)
        assert await claims(sql, person) == [second]
        assert await sql.value("SELECT unclaimed_since FROM uploads WHERE id = $1", UUID(first)) is not None

    async def test_null_takes_it_away(self, people: People, sql: Sql) -> None:
        person = await people.new()
        await person.patch("/users/me", {"avatar": await make_upload(sql, person.id)})
        cleared = (await person.patch("/users/me", {"avatar": None})).json()
        assert (cleared["avatar"], cleared["avatar_url"]) == (None, None)
        assert await claims(sql, person) == []

    async def test_the_same_one_again_changes_nothing(self, people: People, sql: Sql) -> None:
        person = await people.new()
        upload = await make_upload(sql, person.id)
        for _ in range(2):
            reply = await person.patch("/users/me", {"avatar": upload})
            assert (reply.status_code, reply.json()["version"]) == (200, 2)
        assert await claims(sql, person) == [upload]

    async def test_choosing_many_at_once_leaves_the_one_that_is_shown_claimed(self, people: People, sql: Sql) -> None:
        person = await people.new()
        uploads = [await make_upload(sql, person.id) for _ in range(6)]
        replies = await asyncio.gather(*(person.patch("/users/me", {"avatar": upload}) for upload in uploads))
        assert {reply.status_code for reply in replies} == {200}
        shown = await me(person)
        assert shown["avatar_url"].endswith(f"/{shown['avatar']}.webp")
        assert await claims(sql, person) == [shown["avatar"]]

    async def test_cards_show_it_after_a_moment(
        self,
        people: People,
        deals: Deals,
        sql: Sql,
        client: httpx.AsyncClient,
        run_jobs: Callable[[], Awaitable[None]],
    ) -> None:
        seller = await people.new()
        item = await deals.item(seller)
        await seller.patch("/users/me", {"avatar": await make_upload(sql, seller.id)})
        await run_jobs()
        url = (await me(seller))["avatar_url"]
        page = await client.get(f"/api/v1/listings/{item}")
        assert page.json()["seller"]["avatar_url"] == url
        cards = (await client.get(f"/api/v1/users/{seller.id}/listings")).json()["items"]
        assert [card["seller"]["avatar_url"] for card in cards] == [url]
        # Whoever has the page from before hears that it is another one now.
        await seller.patch("/users/me", {"avatar": None})
        await run_jobs()
        again = await client.get(f"/api/v1/listings/{item}", headers={"If-None-Match": page.headers["etag"]})
        assert (again.status_code, again.json()["seller"]["avatar_url"]) == (200, None)


class TestRefused:
    async def assert_unchanged(self, person: Person, sql: Sql, before: dict[str, Any]) -> None:
        assert await me(person) == before
        assert await claims(sql, person) == ([before["avatar"]] if before["avatar"] else [])

    @pytest.mark.parametrize("status", ["UPLOADED", "PROCESSING"])
    async def test_one_that_is_being_processed(self, people: People, sql: Sql, status: str) -> None:
        person = await people.new()
        await person.patch("/users/me", {"avatar": await make_upload(sql, person.id)})
        before = await me(person)
        reply = await person.patch("/users/me", {"avatar": await make_upload(sql, person.id, status), "bio": "new"})
        assert (reply.status_code, reply.json()["code"]) == (409, "images_not_ready")
        await self.assert_unchanged(person, sql, before)

    @pytest.mark.parametrize(("status", "code"), [("PENDING", "upload_not_received"), ("REJECTED", "upload_rejected")])
    async def test_one_that_is_no_picture(self, people: People, sql: Sql, status: str, code: str) -> None:
        person = await people.new()
        reply = await person.patch("/users/me", {"avatar": await make_upload(sql, person.id, status)})
        assert reply.status_code == 422
        assert [(item["pointer"], item["code"]) for item in reply.json()["errors"]] == [("/avatar", code)]
        await self.assert_unchanged(person, sql, person.profile)

    async def test_others_uploads_look_like_none(self, people: People, sql: Sql) -> None:
        person, other = await people.new(), await people.new()
        for upload in (await make_upload(sql, other.id), str(uuid4())):
            reply = await person.patch("/users/me", {"avatar": upload})
            assert reply.status_code == 422
            assert [(item["pointer"], item["code"]) for item in reply.json()["errors"]] == [
                ("/avatar", "unknown_upload")
            ]
        await self.assert_unchanged(person, sql, person.profile)

    async def test_a_stale_version_claims_nothing(self, people: People, sql: Sql) -> None:
        person = await people.new()
        upload = await make_upload(sql, person.id)
        reply = await person.patch("/users/me", {"avatar": upload}, headers={"If-Match": '"7"'})
        assert reply.status_code == 412
        await self.assert_unchanged(person, sql, person.profile)
