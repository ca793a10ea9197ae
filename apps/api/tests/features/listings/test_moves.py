"""Moves over the API: who may make them, what they lead to, what they do to the hold and the seller's numbers."""

import asyncio
from collections.abc import Iterator
from uuid import UUID, uuid4

import httpx
import pytest

from memi.listings import service
from memi.listings.errors import IllegalTransition
from memi.listings.lifecycle import Actor, allowed_moves
from memi.platform.clock import now
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.users import service as users
from support.items import make_listing, whole
from support.people import People, Person
from support.sql import Sql
from support.uploads import finish_upload, make_upload

OWNERS_MOVES = ("publish", "unpublish", "reserve", "unreserve", "sold", "relist")


async def numbers(seller: Person) -> tuple[int, int]:
    """(active, sold) as a profile shows them."""
    shown = (await seller.client.get(f"/api/v1/users/{seller.id}")).json()
    return shown["active_listing_count"], shown["sold_count"]


class TestWhoMayMove:
    @pytest.mark.parametrize("move", OWNERS_MOVES)
    async def test_nobody_but_the_owner(self, people: People, client: httpx.AsyncClient, sql: Sql, move: str) -> None:
        seller, stranger, moderator = await people.new(), await people.new(), await people.moderator()
        shown = (await make_listing(seller, sql))["id"]
        draft = (await make_listing(seller, sql, publish=False))["id"]
        before = await sql.rows("SELECT * FROM listings WHERE id = ANY($1) ORDER BY id", [UUID(shown), UUID(draft)])
        assert (await client.post(f"/api/v1/listings/{shown}/{move}")).status_code == 401
        for person in (stranger, moderator):
            refused = await person.post(f"/listings/{shown}/{move}")
            assert (refused.status_code, refused.json()["code"]) == (403, "not_owner")
        assert (await stranger.post(f"/listings/{draft}/{move}")).status_code == 404
        assert (await moderator.post(f"/listings/{draft}/{move}")).status_code == 403
        assert (await seller.post(f"/listings/{uuid4()}/{move}")).status_code == 404
        after = await sql.rows("SELECT * FROM listings WHERE id = ANY($1) ORDER BY id", [UUID(shown), UUID(draft)])
        assert after == before
        assert await sql.value("SELECT count(*) FROM listing_holds") == 0


class TestMoves:
    async def test_a_whole_life(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        listing = (await make_listing(seller, sql, publish=False))["id"]
        walk = [
            ("publish", "ACTIVE", (1, 0)),
            ("unpublish", "DRAFT", (0, 0)),
            ("publish", "ACTIVE", (1, 0)),
            ("reserve", "RESERVED", (0, 0)),
            ("unreserve", "ACTIVE", (1, 0)),
            ("reserve", "RESERVED", (0, 0)),
            ("sold", "SOLD", (0, 1)),
        ]
        version = 1
        for move, status, counted in walk:
            reply = await seller.post(f"/listings/{listing}/{move}")
            version += 1
            assert (reply.status_code, reply.json()["status"], reply.json()["version"]) == (200, status, version)
            assert reply.headers["etag"].startswith(f'"{version}-')
            assert await numbers(seller) == counted
            held = await sql.value("SELECT count(*) FROM listing_holds WHERE listing_id = $1", listing)
            assert held == (status == "RESERVED")
        assert reply.json()["sold_at"]
        refused = await seller.post(f"/listings/{listing}/publish")
        assert refused.status_code == 409
        problem = refused.json()
        assert (problem["code"], problem["current_status"], problem["allowed_moves"]) == (
            "illegal_transition",
            "SOLD",
            [],
        )

    async def test_a_refusal_names_what_is_allowed(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        listing = (await make_listing(seller, sql))["id"]
        problem = (await seller.post(f"/listings/{listing}/relist")).json()
        assert problem["allowed_moves"] == allowed_moves("ACTIVE", Actor.OWNER)

    async def test_hiding_and_showing_again_does_not_make_it_new(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = await make_listing(seller, sql)
        hidden = (await seller.post(f"/listings/{made['id']}/unpublish")).json()
        assert hidden["expires_at"] is None
        again = (await seller.post(f"/listings/{made['id']}/publish")).json()
        assert again["published_at"] == made["published_at"]
        assert again["expires_at"] > made["expires_at"]

    async def test_a_listing_that_comes_back_late_is_not_gone_at_once(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        made = await make_listing(seller, sql)
        await seller.post(f"/listings/{made['id']}/reserve")
        await sql.execute("UPDATE listings SET expires_at = now() - interval '1 day' WHERE id = $1", made["id"])
        assert (await seller.post(f"/listings/{made['id']}/unreserve")).status_code == 200
        left = "SELECT expires_at > now() + interval '2 days' FROM listings WHERE id = $1"
        assert await sql.value(left, made["id"]) is True


@pytest.fixture
def strict(runtime: Runtime) -> Iterator[None]:
    """A service that asks for verified addresses."""
    usual = runtime.settings
    runtime.adapters.set(Settings, usual.model_copy(update={"require_verified_email": True}))
    yield
    runtime.adapters.set(Settings, usual)


class TestPublish:
    async def test_names_everything_missing(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        draft = (await seller.post("/listings", {"title": "Red shoes"})).json()
        reply = await seller.post(f"/listings/{draft['id']}/publish")
        assert {error["pointer"] for error in reply.json()["errors"]} == {
            "/price",
            "/condition",
            "/category",
            "/images",
        }
        assert await sql.value("SELECT status FROM listings WHERE id = $1", draft["id"]) == "DRAFT"

    async def test_waits_for_the_first_finished_picture(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        uploads = [await make_upload(sql, seller.id, "PROCESSING") for _ in range(2)]
        draft = (await seller.post("/listings", whole(images=uploads))).json()
        reply = await seller.post(f"/listings/{draft['id']}/publish")
        assert (reply.status_code, reply.json()["code"]) == (409, "images_not_ready")
        await finish_upload(sql, uploads[1])
        assert (await seller.post(f"/listings/{draft['id']}/publish")).status_code == 200

    async def test_refused_pictures_are_none(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        upload = await make_upload(sql, seller.id, "PROCESSING")
        draft = (await seller.post("/listings", whole(images=[upload]))).json()
        await sql.execute("UPDATE uploads SET status = 'REJECTED', rejection_code = 'broken' WHERE id = $1", upload)
        reply = await seller.post(f"/listings/{draft['id']}/publish")
        assert [error["pointer"] for error in reply.json()["errors"]] == ["/images"]

    async def test_needs_a_verified_address_where_that_is_asked(
        self, people: People, sql: Sql, runtime: Runtime, strict: None
    ) -> None:
        seller = await people.new()
        upload = await make_upload(sql, seller.id)
        assert (await seller.post("/listings", whole(images=[upload], publish=True))).json()[
            "code"
        ] == "email_not_verified"
        draft = await seller.post("/listings", whole(images=[upload]))
        assert draft.status_code == 201
        refused = await seller.post(f"/listings/{draft.json()['id']}/publish")
        assert (refused.status_code, refused.json()["code"]) == (403, "email_not_verified")
        async with runtime.unit_of_work() as session:
            await users.mark_verified(session, UUID(seller.id))
        assert (await seller.post(f"/listings/{draft.json()['id']}/publish")).status_code == 200


class TestHolds:
    async def test_one_at_a_time_and_only_its_own_reference_ends_it(
        self, people: People, sql: Sql, runtime: Runtime
    ) -> None:
        seller, buyer = await people.new(), await people.new()
        listing_id = UUID((await make_listing(seller, sql))["id"])
        reference, other = uuid4(), uuid4()
        held = {"kind": "RESERVATION", "holder_id": UUID(buyer.id), "expires_at": now()}
        async with runtime.unit_of_work() as session:
            await service.hold(session, await service.lock(session, listing_id), reference_id=reference, **held)
        with pytest.raises(IllegalTransition):
            async with runtime.unit_of_work() as session:
                await service.hold(session, await service.lock(session, listing_id), reference_id=other, **held)
        assert (await seller.post(f"/listings/{listing_id}/reserve")).status_code == 409
        with pytest.raises(IllegalTransition):
            async with runtime.unit_of_work() as session:
                await service.sell(session, await service.lock(session, listing_id), reference_id=other)
        async with runtime.unit_of_work() as session:
            assert not await service.release(session, await service.lock(session, listing_id), reference_id=other)
        assert await sql.value("SELECT reference_id FROM listing_holds WHERE listing_id = $1", listing_id) == reference
        async with runtime.unit_of_work() as session:
            assert await service.release(session, await service.lock(session, listing_id), reference_id=reference)
        assert await sql.value("SELECT status FROM listings WHERE id = $1", listing_id) == "ACTIVE"

    async def test_one_hold_can_follow_another_in_one_unit_of_work(
        self, people: People, sql: Sql, runtime: Runtime
    ) -> None:
        seller, buyer = await people.new(), await people.new()
        listing_id = UUID((await make_listing(seller, sql))["id"])
        await seller.post(f"/listings/{listing_id}/reserve")
        reference = uuid4()
        async with runtime.unit_of_work() as session:
            listing = await service.lock(session, listing_id)
            await service.unreserve(session, listing, None)
            await service.hold(
                session,
                listing,
                kind="ORDER",
                holder_id=UUID(buyer.id),
                reference_id=reference,
                expires_at=None,
            )
        assert await sql.value("SELECT reference_id FROM listing_holds WHERE listing_id = $1", listing_id) == reference


class TestModerators:
    @pytest.mark.parametrize(
        "way", [("DRAFT", "DRAFT"), ("ACTIVE", "ACTIVE"), ("RESERVED", "ACTIVE"), ("SOLD", "SOLD")]
    )
    async def test_remove_and_restore(self, people: People, sql: Sql, runtime: Runtime, way: tuple[str, str]) -> None:
        status, back = way
        seller, stranger = await people.new(), await people.new()
        listing = (await make_listing(seller, sql, publish=status != "DRAFT"))["id"]
        if status in ("RESERVED", "SOLD"):
            await seller.post(f"/listings/{listing}/{'reserve' if status == 'RESERVED' else 'sold'}")
        counted = await numbers(seller)
        async with runtime.unit_of_work() as session:
            assert (await service.remove(session, UUID(listing))).previous_status == back
        assert await sql.value("SELECT count(*) FROM listing_holds WHERE listing_id = $1", listing) == 0
        assert await numbers(seller) == (0, 0)
        assert (await stranger.patch(f"/listings/{listing}", {"title": "Mine"})).status_code == 404
        edited = await seller.patch(f"/listings/{listing}", {"title": "Still mine"})
        assert (edited.status_code, edited.json()["code"]) == (409, "read_only")
        with pytest.raises(IllegalTransition):
            async with runtime.unit_of_work() as session:
                await service.remove(session, UUID(listing))
        async with runtime.unit_of_work() as session:
            assert (await service.restore(session, UUID(listing))).status == back
        assert await numbers(seller) == (counted if status != "RESERVED" else (1, 0))

    async def test_undelete(self, people: People, sql: Sql, runtime: Runtime) -> None:
        seller = await people.new()
        listing = (await make_listing(seller, sql))["id"]
        await seller.delete(f"/listings/{listing}")
        assert await sql.value("SELECT deleted_at IS NOT NULL FROM listings WHERE id = $1", listing)
        async with runtime.unit_of_work() as session:
            restored = await service.undelete(session, UUID(listing))
            assert (restored.status, restored.deleted_at) == ("ACTIVE", None)


class TestAtOnce:
    @pytest.mark.parametrize("move", ["reserve", "sold", "unpublish"])
    async def test_of_many_equal_moves_one_wins(self, people: People, sql: Sql, move: str) -> None:
        seller = await people.new()
        listing = (await make_listing(seller, sql))["id"]
        replies = await asyncio.gather(*(seller.post(f"/listings/{listing}/{move}") for _ in range(8)))
        assert sorted(reply.status_code for reply in replies) == [200] + [409] * 7
        assert await sql.value("SELECT version FROM listings WHERE id = $1", listing) == 3

    async def test_of_rivals_one_wins(self, people: People, sql: Sql) -> None:
        seller = await people.new()
        for _ in range(5):
            listing = (await make_listing(seller, sql))["id"]
            path = f"/listings/{listing}"
            tag = {"If-Match": '"2"'}
            replies = await asyncio.gather(
                seller.post(f"{path}/reserve", headers=tag),
                seller.post(f"{path}/sold", headers=tag),
                seller.post(f"{path}/unpublish", headers=tag),
                seller.delete(path, headers=tag),
                seller.patch(path, {"title": "Another title"}, headers=tag),
            )
            assert sorted(reply.status_code for reply in replies)[1:] == [412] * 4
            assert await sql.value("SELECT version FROM listings WHERE id = $1", listing) == 3
        rows = await sql.rows("SELECT status FROM listings WHERE seller_id = $1", seller.id)
        statuses = [row["status"] for row in rows]
        assert await numbers(seller) == (statuses.count("ACTIVE"), statuses.count("SOLD"))
