"""A durable handler whose effect is counted, and takes long enough to be killed in the middle."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.events import durable


@dataclass(frozen=True)
class Happened:
    number: int


@durable(Happened)
async def take_effect(event: Happened, session: AsyncSession) -> None:
    """Nothing but the receipt keeps it from happening twice: the table takes any number of equal rows."""
    await session.execute(text("INSERT INTO fault_effects (number) VALUES (:number)"), {"number": event.number})
    await session.execute(text("SELECT pg_sleep(0.03)"))


@durable(Happened)
async def take_another_effect(event: Happened, session: AsyncSession) -> None:
    await session.execute(text("INSERT INTO fault_effects (number) VALUES (:number)"), {"number": -event.number})
