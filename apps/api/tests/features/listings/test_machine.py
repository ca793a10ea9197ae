"""Any series of moves by anyone, over the real API and database, follows the lifecycle table or changes nothing."""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from memi.listings import moves, service
from memi.listings.errors import IllegalTransition
from memi.listings.lifecycle import READ_ONLY, Actor, Status, allowed_moves, check_move, remembered
from memi.platform.runtime import Runtime
from support.items import make_listing
from support.people import People, Person
from support.sql import Sql

OWNERS = ["publish", "unpublish", "reserve", "unreserve", "sold", "relist", "delete"]
MODERATORS = ["remove", "restore", "undelete"]
SYSTEMS = ["reserve", "unreserve", "sold", "expire"]
Beginning = tuple[tuple[Actor, str], ...]
_PUBLISH, _RESERVE = (Actor.OWNER, "publish"), (Actor.OWNER, "reserve")
BEGINNINGS: list[Beginning] = [
    (),
    (_PUBLISH,),
    (_PUBLISH, _RESERVE),
    (_PUBLISH, (Actor.SYSTEM, "reserve")),
    (_PUBLISH, (Actor.OWNER, "sold")),
    (_PUBLISH, (Actor.SYSTEM, "expire")),
]
ENDINGS: list[Beginning] = [
    ((Actor.MODERATOR, "remove"),),
    (_PUBLISH, (Actor.OWNER, "delete")),
    (_PUBLISH, _RESERVE, (Actor.OWNER, "delete")),
    (_PUBLISH, (Actor.SYSTEM, "reserve"), (Actor.MODERATOR, "remove")),
    (_PUBLISH, (Actor.OWNER, "sold"), (Actor.MODERATOR, "remove")),
]


@dataclass
class World:
    """The service under test, and the event loop that it runs on."""

    loop: asyncio.AbstractEventLoop
    runtime: Runtime
    sql: Sql
    seller: Person
    stranger: Person


class Life(RuleBasedStateMachine):
    """The model is a status, a remembered status, a version and whose hold it is; the table says what comes next."""

    world: World

    @initialize(moves_before=st.sampled_from(BEGINNINGS))
    def list_an_item(self, moves_before: Beginning) -> None:
        made = self._run(make_listing(self.world.seller, self.world.sql, publish=False))
        self.id = made["id"]
        self.status = "DRAFT"
        self.previous: str | None = None
        self.version: int = made["version"]
        self.reference: UUID | None = None
        for by, move in moves_before:
            self._goes_on(by, move)

    @rule(move=st.sampled_from(OWNERS))
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

    @rule(pick=st.integers(0, 1000))
    def somebody_makes_an_allowed_move(self, pick: int) -> None:
        """Without these, few lives would get past their first refusals."""
        possible = [(actor, move) for actor in Actor for move in allowed_moves(self.status, actor)]
        self._goes_on(*possible[pick % len(possible)])

    @rule(move=st.sampled_from(OWNERS))
    def a_stranger_tries(self, move: Any) -> None:
        before = self._stored()
        reply = self._run(self._call(self.world.stranger, move))
        assert reply.status_code == (403 if self.status in ("ACTIVE", "RESERVED", "SOLD") else 404)
        assert self._stored() == before

    @rule(move=st.sampled_from(MODERATORS))
    def a_moderator_moves(self, move: Any) -> None:
        self._moved_inside(move, Actor.MODERATOR, None)

    @rule(move=st.sampled_from(SYSTEMS))
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

    def _goes_on(self, by: Actor, move: Any) -> None:
        if by == Actor.OWNER:
            self.owner_moves(move)
        else:
            self._moved_inside(move, by, uuid4() if move == "reserve" else None)

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
        return asyncio.run_coroutine_threadsafe(work, self.world.loop).result(30)


QUICK = settings(
    max_examples=50,
    stateful_step_count=12,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
async def life(people: People, runtime: Runtime, sql: Sql) -> type[Life]:
    """The machine, in a world of its own people."""
    world = World(asyncio.get_running_loop(), runtime, sql, await people.new("Seller"), await people.new("Stranger"))
    return type("LifeHere", (Life,), {"world": world})


# Hypothesis calls rules as plain functions: they run in a thread and hand their work back to the event loop.


@pytest.mark.parametrize("beginning", [*BEGINNINGS, *ENDINGS], ids=lambda moves: "-".join(move for _, move in moves))
async def test_every_status_meets_every_move(life: type[Life], beginning: Beginning) -> None:
    def meet() -> None:
        steps = [
            *(partial(life.owner_moves, move=move) for move in OWNERS),
            *(partial(life.a_stranger_tries, move=move) for move in OWNERS),
            *(partial(life.a_moderator_moves, move=move) for move in MODERATORS),
            *(partial(life.the_system_moves, move=move) for move in SYSTEMS),
            partial(life.the_owner_edits, title="Coat", amount=4500),
            partial(life.the_owner_edits, title="Coat", amount=3000),
        ]
        for step in steps:
            lived = life()
            lived.list_an_item(moves_before=beginning)
            step(lived)
            lived.the_database_agrees()

    await asyncio.to_thread(meet)


async def test_every_life_follows_the_table(life: type[Life]) -> None:
    await asyncio.to_thread(run_state_machine_as_test, life, settings=QUICK)
