"""Any series of moves by anyone, over the real API and database, follows the lifecycle table or changes nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from memi import wiring
from memi.app import create_litestar
from memi.listings import moves, service
from memi.listings.errors import IllegalTransition
from memi.listings.lifecycle import READ_ONLY, Actor, Status, allowed_moves, check_move, remembered
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.gateway import Gateway
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.items import make_listing
from support.people import People, Person
from support.sql import Sql

OWNER = st.sampled_from(["publish", "unpublish", "reserve", "unreserve", "sold", "relist", "delete"])
MODERATOR = st.sampled_from(["remove", "restore", "undelete"])
SYSTEM = st.sampled_from(["reserve", "unreserve", "sold", "expire"])


@dataclass
class World:
    """A service of the machine's own, on an event loop that runs only while a rule does."""

    runner: asyncio.Runner
    runtime: Runtime
    sql: Sql
    seller: Person
    stranger: Person


@asynccontextmanager
async def opened(runner: asyncio.Runner, options: Settings, urls: EmbeddedUrls) -> AsyncIterator[World]:
    async with wiring.open_runtime(options, urls.app) as runtime, Sql.connect(urls.migrator) as sql:
        app = create_litestar(options, lambda: wiring.already_open(runtime))
        async with app.lifespan():
            transport = httpx.ASGITransport(Gateway(app, options), raise_app_exceptions=False)  # pyright: ignore[reportArgumentType]
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                people = People(client, runtime)
                yield World(runner, runtime, sql, await people.new("Seller"), await people.new("Stranger"))


class Life(RuleBasedStateMachine):
    """The model is a status, a remembered status, a version and whose hold it is; the table says what comes next."""

    world: World

    @initialize(publish=st.booleans())
    def list_an_item(self, publish: bool) -> None:
        made = self._run(make_listing(self.world.seller, self.world.sql, publish=publish))
        self.id = made["id"]
        self.status = "ACTIVE" if publish else "DRAFT"
        self.previous: str | None = None
        self.version: int = made["version"]
        self.reference: UUID | None = None

    @rule(move=OWNER)
    def owner_moves(self, move: Any) -> None:
        before = self._stored()
        reply = self._run(self._call(self.world.seller, move))
        if move in allowed_moves(self.status, Actor.OWNER):
            assert reply.status_code == (204 if move == "delete" else 200), reply.text
            self._went(move, Actor.OWNER, None)
            return
        assert (reply.status_code, reply.json()["code"]) == (409, "illegal_transition")
        assert reply.json()["current_status"] == self.status
        assert reply.json()["allowed_moves"] == allowed_moves(self.status, Actor.OWNER)
        assert self._stored() == before

    @rule(move=OWNER)
    def a_stranger_tries(self, move: Any) -> None:
        before = self._stored()
        reply = self._run(self._call(self.world.stranger, move))
        assert reply.status_code == (403 if self.status in ("ACTIVE", "RESERVED", "SOLD") else 404)
        assert self._stored() == before

    @rule(move=MODERATOR)
    def a_moderator_moves(self, move: Any) -> None:
        self._moved_inside(move, Actor.MODERATOR, None)

    @rule(move=SYSTEM)
    def the_system_moves(self, move: Any) -> None:
        self._moved_inside(move, Actor.SYSTEM, uuid4() if move == "reserve" else None)

    @rule(title=st.sampled_from(["Coat", "Warm coat", "Wool coat"]), amount=st.sampled_from([4500, 3000]))
    def the_owner_edits(self, title: str, amount: int) -> None:
        before = self._stored()
        change = {"title": title, "price": {"amount": amount, "currency": "AZN"}}
        reply = self._run(self.world.seller.patch(f"/listings/{self.id}", change))
        if self.status in READ_ONLY:
            assert (reply.status_code, reply.json()["code"]) == (409, "read_only")
        elif self.status == "RESERVED" and before[0]["price_amount"] != amount:
            assert (reply.status_code, reply.json()["code"]) == (409, "price_frozen")
        else:
            assert reply.status_code == 200
            self.version += (before[0]["title"], before[0]["price_amount"]) != (title, amount)
            return
        assert self._stored() == before

    @invariant()
    def the_database_agrees(self) -> None:
        if not hasattr(self, "id"):
            return
        listing, *held = self._stored()
        assert (listing["status"], listing["previous_status"]) == (self.status, self.previous)
        assert listing["version"] == self.version
        assert [hold["reference_id"] for hold in held] == ([self.reference] if self.status == "RESERVED" else [])
        counted = self._run(
            self.world.sql.rows(
                """
                SELECT active_listing_count = count(*) FILTER (WHERE status = 'ACTIVE')
                   AND sold_count = count(*) FILTER (WHERE status = 'SOLD') AS exact
                FROM listings JOIN seller_stats ON user_id = seller_id WHERE seller_id = $1
                GROUP BY active_listing_count, sold_count
                """,
                self.world.seller.id,
            )
        )
        assert all(row["exact"] for row in counted)

    def _moved_inside(self, move: Any, by: Actor, reference: UUID | None) -> None:
        """What a feature above, or a job, does through the service."""
        before = self._stored()
        if move in allowed_moves(self.status, by):
            self._run(self._inside(move, reference))
            self._went(move, by, reference)
            return
        with pytest.raises(IllegalTransition) as refusal:
            self._run(self._inside(move, reference))
        assert refusal.value.fields == {"current_status": self.status, "allowed_moves": allowed_moves(self.status, by)}
        assert self._stored() == before

    async def _inside(self, move: str, reference: UUID | None) -> None:
        async with self.world.runtime.unit_of_work() as session:
            listing_id = UUID(self.id)
            if move in ("remove", "restore", "undelete"):
                await getattr(service, move)(session, listing_id)
                return
            listing = await service.lock(session, listing_id)
            if move == "reserve":
                holder = UUID(self.world.stranger.id)
                await service.hold(
                    session, listing, kind="ORDER", holder_id=holder, reference_id=reference, expires_at=None
                )
            elif move == "sold":
                await service.sell(session, listing, reference_id=self.reference)
            elif move == "unreserve" and self.reference is not None:
                assert await service.release(session, listing, reference_id=self.reference)
            else:
                await moves.move(session, listing, move, Actor.SYSTEM)

    def _went(self, move: Any, by: Actor, reference: UUID | None) -> None:
        after = check_move(self.status, move, by, self.previous)
        self.previous = remembered(self.status) if after in ("DELETED", "REMOVED") else None
        self.reference = reference if after == Status.RESERVED else None
        self.status = after.value
        self.version += 1

    async def _call(self, person: Person, move: str) -> httpx.Response:
        if move == "delete":
            return await person.delete(f"/listings/{self.id}")
        return await person.post(f"/listings/{self.id}/{move}")

    def _stored(self) -> list[dict[str, Any]]:
        sql = self.world.sql
        return [
            *self._run(sql.rows("SELECT * FROM listings WHERE id = $1", self.id)),
            *self._run(sql.rows("SELECT * FROM listing_holds WHERE listing_id = $1", self.id)),
        ]

    def _run(self, work: Any) -> Any:
        return self.world.runner.run(work)


QUICK = settings(
    max_examples=20,
    stateful_step_count=15,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def _run_lives(options: Settings, urls: EmbeddedUrls) -> None:
    with asyncio.Runner() as runner:
        opening = opened(runner, options, urls)
        world = runner.run(opening.__aenter__())
        try:
            run_state_machine_as_test(type("LifeHere", (Life,), {"world": world}), settings=QUICK)
        finally:
            runner.run(opening.__aexit__(None, None, None))


async def test_every_life_follows_the_table(settings: Settings, database_urls: EmbeddedUrls) -> None:
    # Hypothesis calls rules as plain functions, so they run in a thread that has an event loop of its own.
    await asyncio.to_thread(_run_lives, settings, database_urls)
