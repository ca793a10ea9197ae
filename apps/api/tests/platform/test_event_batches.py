"""Events handled together: one call per round and kind, after the single ones, inside the same unit of work."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.events import EventBus, in_transaction, in_transaction_batch, publish
from memi.platform.runtime import Runtime


@dataclass(frozen=True)
class Counted:
    number: int


@dataclass(frozen=True)
class Summed:
    total: int


def module(**members: object) -> ModuleType:
    made = ModuleType("listening")
    vars(made).update(members)
    return made


async def test_all_events_of_a_round_come_together_after_the_single_ones(runtime: Runtime) -> None:
    seen: list[object] = []

    @in_transaction_batch(Counted)
    async def together(events: Sequence[Counted], session: AsyncSession) -> None:
        seen.append([item.number for item in events])
        publish(session, Summed(sum(item.number for item in events)))

    @in_transaction(Counted)
    async def single(event: Counted, _session: AsyncSession) -> None:
        seen.append(event.number)

    @in_transaction_batch(Summed)
    async def summed(events: Sequence[Summed], _session: AsyncSession) -> None:
        seen.append([item.total for item in events])

    bus = EventBus([module(together=together, single=single, summed=summed)])
    unit = runtime.unit_of_work.open()
    for number in (1, 2, 1):
        publish(unit.session, Counted(number))
    assert await bus.settle(unit.session) == []
    await unit.close()
    assert seen == [2, 1, [2, 1], [3]]
