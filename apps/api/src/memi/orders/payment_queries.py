"""Every statement of the hand-off to payments."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from memi.orders.payment_models import PaymentAttempt, PaymentBreaker, WebhookDelivery

BreakerState = Literal["closed", "open", "half_open"]


@dataclass(frozen=True)
class Standing:
    """How the breaker stands; `wait` is the seconds until anybody may ask."""

    state: BreakerState
    failures: int = 0
    wait: float = 0.0


async def standing(session: AsyncSession) -> Standing:
    now: ColumnElement[datetime] = func.statement_timestamp()
    row = (await session.execute(select(PaymentBreaker.failures, PaymentBreaker.open_until, now))).first()
    if row is None or row[1] is None:
        return Standing("closed", row[0] if row else 0)
    seconds = (row[1] - row[2]).total_seconds()
    return Standing("open" if seconds > 0 else "half_open", row[0], max(seconds, 0.0))


async def claim_probe(session: AsyncSession, seconds: float) -> bool:
    """Whether the caller is the one who asks while the breaker is half open; the claim lapses after `seconds`."""
    now = func.statement_timestamp()
    statement = (
        update(PaymentBreaker)
        .where(
            PaymentBreaker.open_until <= now,
            or_(PaymentBreaker.probe_until.is_(None), PaymentBreaker.probe_until <= now),
        )
        .values(probe_until=now + timedelta(seconds=seconds))
        .returning(PaymentBreaker.id)
    )
    return (await session.execute(statement)).first() is not None


async def count_failure(session: AsyncSession, threshold: int, seconds: float) -> bool:
    """Count one more failure in a row; whether it opened the breaker, for `seconds`."""
    result = await session.execute(
        text(
            """
            INSERT INTO payment_breaker AS b (id, failures, open_until)
            VALUES (1, 1, CASE WHEN :threshold <= 1 THEN clock_timestamp() + make_interval(secs => :seconds) END)
            ON CONFLICT (id) DO UPDATE SET failures = b.failures + 1, probe_until = NULL,
                open_until = CASE
                    WHEN b.open_until > clock_timestamp() THEN b.open_until
                    WHEN b.failures + 1 >= :threshold THEN clock_timestamp() + make_interval(secs => :seconds)
                END
            RETURNING failures = greatest(:threshold, 1)
            """
        ),
        {"threshold": threshold, "seconds": seconds},
    )
    return bool(result.scalar_one())


async def count_answer(session: AsyncSession) -> bool:
    """The service answers: whether that ended a row of failures. Writes nothing as long as all is well."""
    statement = (
        update(PaymentBreaker)
        .where(PaymentBreaker.failures > 0)
        .values(failures=0, open_until=None, probe_until=None)
        .returning(PaymentBreaker.id)
    )
    return (await session.execute(statement)).first() is not None


async def begin_attempt(session: AsyncSession, attempt_id: UUID, order_id: UUID, purpose: str) -> int:
    """Write down that the service is about to be asked; the how manieth time, from 1. Lock the order first."""
    number = await attempts(session, order_id, purpose) + 1
    values = {"id": attempt_id, "order_id": order_id, "purpose": purpose, "number": number}
    await session.execute(insert(PaymentAttempt).values(values))
    return number


async def attempts(session: AsyncSession, order_id: UUID, purpose: str) -> int:
    statement = select(func.coalesce(func.max(PaymentAttempt.number), 0))
    found = await session.scalar(
        statement.where(PaymentAttempt.order_id == order_id, PaymentAttempt.purpose == purpose)
    )
    return found or 0


async def end_attempt(
    session: AsyncSession, attempt_id: UUID, outcome: str, http_status: int | None, detail: str | None
) -> None:
    statement = update(PaymentAttempt).where(PaymentAttempt.id == attempt_id)
    values = {"outcome": outcome, "http_status": http_status, "detail": detail}
    await session.execute(statement.values(**values, finished_at=func.clock_timestamp()))


async def asked_for_long(session: AsyncSession, order_id: UUID, purpose: str, long: timedelta) -> bool:
    """Whether the first attempt is longer ago than that."""
    statement = select(func.min(PaymentAttempt.started_at) < func.now() - long)
    return bool(
        await session.scalar(statement.where(PaymentAttempt.order_id == order_id, PaymentAttempt.purpose == purpose))
    )


async def may_have_begun(session: AsyncSession, order_id: UUID) -> bool:
    """Whether the service may have made a payment of which we never heard."""
    statement = select(PaymentAttempt.id).where(
        PaymentAttempt.order_id == order_id,
        PaymentAttempt.purpose == "begin",
        or_(PaymentAttempt.outcome.is_(None), PaymentAttempt.outcome.in_(("unclear", "answered"))),
    )
    return await session.scalar(statement.limit(1)) is not None


async def last_latency_ms(session: AsyncSession) -> float | None:
    """What the latest answer took."""
    statement = select(PaymentAttempt.started_at, PaymentAttempt.finished_at).where(
        PaymentAttempt.outcome.in_(("answered", "refused"))
    )
    row = (await session.execute(statement.order_by(PaymentAttempt.started_at.desc()).limit(1))).first()
    if row is None:
        return None
    started_at, finished_at = row
    assert finished_at is not None, "an attempt with an outcome has ended"
    return round((finished_at - started_at) / timedelta(milliseconds=1), 2)


async def record_delivery(
    session: AsyncSession, webhook_id: str, kind: str, payment_id: str | None, event_at: datetime | None
) -> bool:
    """Whether this is the first delivery; waits for a rival that has not committed yet."""
    statement = (
        upsert(WebhookDelivery)
        .values(id=webhook_id, type=kind, payment_id=payment_id, event_at=event_at, outcome="ignored")
        .on_conflict_do_nothing()
        .returning(WebhookDelivery.id)
    )
    return (await session.execute(statement)).first() is not None


async def record_outcome(session: AsyncSession, webhook_id: str, outcome: str, order_id: UUID | None) -> None:
    statement = update(WebhookDelivery).where(WebhookDelivery.id == webhook_id)
    await session.execute(statement.values(outcome=outcome, order_id=order_id))


async def prune(session: AsyncSession, days: int) -> None:
    """Forget what was said more than `days` ago."""
    long_ago = func.now() - timedelta(days=days)
    for statement in (
        delete(PaymentAttempt).where(PaymentAttempt.started_at < long_ago),
        delete(WebhookDelivery).where(WebhookDelivery.received_at < long_ago),
    ):
        await session.execute(statement.execution_options(synchronize_session=False))
