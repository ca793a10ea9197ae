"""Plug-ins for the features above: ask one, and have what it said written down."""

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any, Literal, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.intelligence import queries
from memi.intelligence.buffer import VerdictBuffer
from memi.intelligence.calling import Answer, Seat, unasked
from memi.intelligence.plugins import Installed
from memi.intelligence.ports import Port
from memi.intelligence.queries import Row
from memi.platform.health import Dependency
from memi.platform.ids import new_id
from memi.platform.unit_of_work import adapters_of

Q = TypeVar("Q")
A = TypeVar("A")
SubjectType = Literal["LISTING", "UPLOAD", "MESSAGE", "USER"]


class Intelligence:
    """What is plugged in, in this process. Without plug-ins it does nothing, and costs nothing."""

    def __init__(self, installed: Installed) -> None:
        self._seats: Mapping[str, Seat[Any, Any]] = installed.seats
        self._broken = installed.broken

    def has(self, *ports: Port[Any, Any]) -> bool:
        """Whether any of these is plugged in: what a question needs is gathered only then."""
        return any(port.name in self._seats for port in ports)

    def dormant(self, modules: Iterable[ModuleType]) -> list[ModuleType]:
        """Those that name ports as `ASKS`, where there is no plug-in: their handlers need not hear a thing."""
        return [module for module in modules if (ports := getattr(module, "ASKS", ())) and not self.has(*ports)]

    async def ask(self, port: Port[Q, A], question: Q) -> Answer[A]:
        """Within the configured seconds, and without ever raising; a failure is an answer that says nothing."""
        seat = self._seats.get(port.name)
        if seat is None:
            return unasked(port)
        return await seat.ask(question)

    async def check(self) -> Dependency:
        """Names what is plugged in; `degraded` when something is broken, or left alone because it keeps failing."""
        if not self._seats and not self._broken:
            return Dependency("off", None)
        told = [
            f"{name}: {seat.name} {seat.version}{' (left alone)' if seat.is_left_alone else ''}"
            for name, seat in self._seats.items()
        ]
        told += [f"{name}: {what} (not loaded)" for name, what in self._broken.items()]
        well = not self._broken and not any(seat.is_left_alone for seat in self._seats.values())
        return Dependency("up" if well else "degraded", None, "; ".join(told))

    def close(self) -> None:
        for seat in self._seats.values():
            seat.close()


def intelligence_of(session: AsyncSession) -> Intelligence:
    """The process's plug-ins, for services that have a session."""
    return adapters_of(session).get(Intelligence)


async def record(
    session: AsyncSession, answer: Answer[Any], subject_type: SubjectType, subject_id: UUID, *, user_id: UUID | None
) -> None:
    """Write down what was said about a subject, and about whom that is, with this unit of work."""
    if answer.plugin is not None:
        await queries.add(session, [_row(answer, subject_type, subject_id, user_id)])


def note(
    buffer: VerdictBuffer,
    answer: Answer[Any],
    subject_type: SubjectType,
    subject_id: UUID,
    *,
    user_id: UUID,
    verdict: Any = None,
) -> None:
    """As `record`, for reads: written soon after, so that none waits for it. `verdict` may say it in short."""
    if answer.plugin is not None:
        buffer.add(_row(answer, subject_type, subject_id, user_id, verdict))


async def latest(session: AsyncSession, port: Port[Any, A], subject_ids: list[UUID]) -> dict[UUID, A]:
    """What was last said about each of these; subjects about which nothing was said are absent."""
    if not subject_ids:
        return {}
    found = await queries.latest(session, port.name, subject_ids)
    return {subject_id: msgspec.convert(verdict, type=port.answer) for subject_id, verdict in found.items()}


def _row(
    answer: Answer[Any], subject_type: SubjectType, subject_id: UUID, user_id: UUID | None, verdict: Any = None
) -> Row:
    assert answer.plugin is not None
    said = None if answer.value is None else answer.value if verdict is None else verdict
    return Row(
        id=new_id(),
        port=answer.port,
        plugin=answer.plugin,
        plugin_version=answer.version,
        subject_type=subject_type,
        subject_id=subject_id,
        user_id=user_id,
        outcome=answer.outcome,
        verdict=said,
        took_ms=answer.took_ms,
    )
