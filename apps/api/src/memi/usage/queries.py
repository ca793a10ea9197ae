"""Every statement of the usage feature."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Date, DateTime, Integer, LargeBinary, Text, Uuid, bindparam, delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from memi.usage.models import UsageConsent, UsageEvent
from memi.usage.schemas import EventRow, Today

_WRITING = 7236432
"""The advisory lock that whoever adds events shares, and that whoever must know of all of them holds alone."""
VIEWS = "views"
"""The name of the reader that counts views."""

_ENTER = text("SELECT pg_advisory_xact_lock_shared(:writing)")
_ENTER_WITH = text("SELECT pg_advisory_xact_lock(:batch), pg_advisory_xact_lock_shared(:writing)")
_TIME = DateTime(timezone=True)
_TODAY = text(
    """
    SELECT now.at, now.day, s.salt AS day_salt, c.user_id, c.salt
    FROM (SELECT clock_timestamp() AS at, CAST(clock_timestamp() AT TIME ZONE 'UTC' AS date) AS day) AS now
    LEFT JOIN usage_day_salts s ON s.day = now.day
    LEFT JOIN usage_consents c ON c.user_id = ANY (:users) AND c.consent
    """
).bindparams(bindparam("users", type_=ARRAY(Uuid())))

# The first to need it today makes it; rivals wait for that one's commit and are given the same.
_BEGIN_DAY = text(
    """
    INSERT INTO usage_day_salts AS s (day, salt) VALUES (:day, :salt)
    ON CONFLICT (day) DO UPDATE SET salt = s.salt RETURNING s.salt
    """
).bindparams(bindparam("day", type_=Date()), bindparam("salt", type_=LargeBinary()))

# An array per column. This is as quick as COPY for a batch, and what goes wrong in it leaves the connection in order.
_TYPES: dict[str, TypeEngine[Any]] = {
    "id": Uuid(), "kind": Text(), "listing_id": Uuid(), "search_id": Uuid(), "position": Integer(), "category": Text(),
    "words": Text(), "visitor": LargeBinary(), "person": LargeBinary(), "properties": Text(),
}  # fmt: skip
_ADD = text(
    f"""
    INSERT INTO usage_events ({", ".join(EventRow._fields)})
    SELECT {", ".join(EventRow._fields).replace("properties", "CAST(properties AS jsonb)")}
    FROM unnest({", ".join(f":{name}" for name in EventRow._fields)}) AS event ({", ".join(EventRow._fields)})
    """  # noqa: S608  # constants
).bindparams(*(bindparam(name, type_=ARRAY(_TYPES[name])) for name in EventRow._fields))

_NEXT_MARK = text(
    """
    SELECT max(at) AS upto, count(*) AS found FROM (
        SELECT at FROM usage_events WHERE at > :after AND at <= :upto ORDER BY at LIMIT :limit
    ) AS next
    """
).bindparams(bindparam("after", type_=_TIME), bindparam("upto", type_=_TIME), bindparam("limit", type_=Integer()))

_SEE = text(
    """
    WITH seen AS (
        INSERT INTO usage_viewers (day, listing_id, visitor)
        SELECT DISTINCT CAST(at AT TIME ZONE 'UTC' AS date), listing_id, visitor FROM usage_events
        WHERE kind = 'LISTING_VIEW' AND listing_id IS NOT NULL AND at > :after AND at <= :upto
        ON CONFLICT DO NOTHING RETURNING listing_id
    )
    SELECT listing_id, count(*) AS views FROM seen GROUP BY listing_id
    """
).bindparams(bindparam("after", type_=_TIME), bindparam("upto", type_=_TIME))

# Days that are counted, and a day more: nobody needs to know any longer who had seen what.
_FORGET_VIEWERS = text(
    """
    DELETE FROM usage_viewers WHERE (day, listing_id, visitor) IN (
        SELECT v.day, v.listing_id, v.visitor FROM usage_viewers v
        WHERE v.day < CAST((
            SELECT least(upto, clock_timestamp()) FROM usage_watermarks WHERE reader = :reader
        ) AT TIME ZONE 'UTC' AS date) - 1
        LIMIT :limit
    )
    """
)

EXPORT_COLUMNS = (
    "id", "at", "kind", "listing_id", "search_id", "position", "category", "words", "visitor", "person", "properties",
)  # fmt: skip
EXPORT = f"SELECT {', '.join(EXPORT_COLUMNS)} FROM usage_events WHERE at >= $1 AND at < $2 ORDER BY at, id"  # noqa: S608  # constants
EXPORT_COUNT = "SELECT count(*) FROM usage_events WHERE at >= $1 AND at < $2"


async def enter(session: AsyncSession, batch: UUID | None = None) -> None:
    """Before events are added, as a statement of its own: they will be later than what `all_written` last said.

    Waits until earlier tries to write the same `batch` are over, whatever became of their connections.
    """
    if batch is None:
        await session.execute(_ENTER, {"writing": _WRITING})
    else:
        await session.execute(_ENTER_WITH, {"batch": batch.int % 2**63, "writing": _WRITING})


async def all_written(session: AsyncSession) -> datetime:
    """A time up to which every event there will ever be is committed. Nobody adds any until this unit ends."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITING})
    return (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()


async def today(session: AsyncSession, users: Collection[UUID]) -> Today:
    """What is to be known to write events now; of `users` those who consent. One statement for any number."""
    rows = (await session.execute(_TODAY, {"users": list(users)})).all()
    consents = {row.user_id: row.salt for row in rows if row.user_id is not None}
    return Today(rows[0].at, rows[0].day, rows[0].day_salt, consents)


async def begin_day(session: AsyncSession, day: date, salt: bytes) -> bytes:
    """The day's salt: `salt` unless another process was first."""
    return (await session.execute(_BEGIN_DAY, {"day": day, "salt": salt})).scalar_one()


async def known(session: AsyncSession, since: datetime, ids: Collection[UUID]) -> set[UUID]:
    """Which of these events were written at `since` or later."""
    statement = select(UsageEvent.id).where(UsageEvent.at >= since, UsageEvent.id.in_(list(ids)))
    return set((await session.scalars(statement)).all())


async def add(session: AsyncSession, rows: Sequence[EventRow]) -> None:
    """Add any number of events by one statement, each with the database's time of that moment."""
    await session.execute(_ADD, dict(zip(EventRow._fields, map(list, zip(*rows, strict=True)), strict=True)))


async def consent_of(session: AsyncSession, user_id: UUID) -> UsageConsent | None:
    return await session.get(UsageConsent, user_id, populate_existing=True)


async def put_consent(session: AsyncSession, user_id: UUID, *, consent: bool, salt: bytes | None) -> datetime:
    """Write it down; since when it is so."""
    values = {"consent": consent, "salt": salt, "changed_at": text("clock_timestamp()")}
    statement = (
        insert(UsageConsent)
        .values(user_id=user_id, **values)
        .on_conflict_do_update(index_elements=[UsageConsent.user_id], set_=values)
        .returning(UsageConsent.changed_at)
    )
    return (await session.execute(statement)).scalar_one()


async def drop_consent(session: AsyncSession, user_id: UUID) -> None:
    statement = delete(UsageConsent).where(UsageConsent.user_id == user_id)
    await session.execute(statement.execution_options(synchronize_session=False))


async def of_person(
    session: AsyncSession, person: bytes, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[UsageEvent]:
    """Somebody's events, the oldest first, following `after`."""
    statement = select(UsageEvent).where(UsageEvent.person == person)
    if after is not None:
        statement = statement.where(text("(at, id) > (:at, :id)").bindparams(at=after[0], id=after[1]))
    return (await session.scalars(statement.order_by(UsageEvent.at, UsageEvent.id).limit(limit))).all()


async def lock_mark(session: AsyncSession, reader: str) -> datetime:
    """How far this reader has come; nobody else moves it before the unit ends."""
    statement = text("SELECT upto FROM usage_watermarks WHERE reader = :reader FOR UPDATE")
    return (await session.execute(statement, {"reader": reader})).scalar_one()


async def move_mark(session: AsyncSession, reader: str, upto: datetime) -> None:
    statement = text("UPDATE usage_watermarks SET upto = :upto WHERE reader = :reader")
    await session.execute(statement.bindparams(bindparam("upto", type_=_TIME)), {"reader": reader, "upto": upto})


async def next_mark(session: AsyncSession, after: datetime, upto: datetime, limit: int) -> tuple[datetime, bool]:
    """(where about `limit` events after `after` end, whether more follow them until `upto`)."""
    row = (await session.execute(_NEXT_MARK, {"after": after, "upto": upto, "limit": limit})).one()
    return (row.upto, row.upto < upto) if row.found == limit else (upto, False)


async def see(session: AsyncSession, after: datetime, upto: datetime) -> dict[UUID, int]:
    """By listing: how many had not seen it before on the day that they did, of events after `after` until `upto`."""
    return {row.listing_id: row.views for row in await session.execute(_SEE, {"after": after, "upto": upto})}


async def forget_viewers(session: AsyncSession, limit: int) -> bool:
    """Forget at most `limit` viewers of days that are over and counted; whether there may be more."""
    gone: Any = await session.execute(_FORGET_VIEWERS, {"reader": VIEWS, "limit": limit})
    return gone.rowcount == limit


async def forget_days(session: AsyncSession) -> None:
    """Delete the salts of days that are over: from then on nothing leads from their visitors to an address."""
    await session.execute(
        text("DELETE FROM usage_day_salts WHERE day < CAST(clock_timestamp() AT TIME ZONE 'UTC' AS date)")
    )


async def make_partition(session: AsyncSession, months_ahead: int) -> bool:
    """Make the partition of this month or one of the next; whether there was none."""
    statement = text(
        "SELECT usage_make_partition(CAST(date_trunc('month', now() AT TIME ZONE 'UTC') "
        "+ make_interval(months => :ahead) AS date))"
    ).bindparams(bindparam("ahead", type_=Integer()))
    return (await session.execute(statement, {"ahead": months_ahead})).scalar_one()


async def drop_partitions(session: AsyncSession, keep_days: int) -> int:
    """Drop the months that are over for that long; how many."""
    statement = text("SELECT usage_drop_partitions(:days)").bindparams(bindparam("days", type_=Integer()))
    return (await session.execute(statement, {"days": keep_days})).scalar_one()
