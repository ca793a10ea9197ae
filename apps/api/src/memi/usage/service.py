"""Rules of usage: consent, deeds that are written with what tells of them, and views that count."""

import secrets
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.ids import new_id
from memi.platform.unit_of_work import adapters_of
from memi.usage import queries
from memi.usage.keys import LENGTH, UsageKeys
from memi.usage.schemas import ConsentRead, EventRow, Kind, ListingFacts, Views

DAY_SALT = 32


async def read_consent(session: AsyncSession, user_id: UUID) -> ConsentRead:
    """What a person said last; no if they never said anything."""
    found = await queries.consent_of(session, user_id)
    return ConsentRead(found.consent, found.changed_at) if found else ConsentRead(False, None)


async def put_consent(session: AsyncSession, user_id: UUID, *, consent: bool) -> ConsentRead:
    """Give or withdraw consent. What is being written with the old answer is waited for, so that none follows.

    Who withdraws loses the salt, so that nobody can tell any more which events were theirs; who consents anew begins
    anew.
    """
    if (same := await _said_already(session, user_id, consent)) is not None:
        return same
    await queries.all_written(session)  # everybody's writing stops for a moment: only for who changes something
    if (same := await _said_already(session, user_id, consent)) is not None:
        return same
    salt = secrets.token_bytes(LENGTH) if consent else None
    return ConsentRead(consent, await queries.put_consent(session, user_id, consent=consent, salt=salt))


async def _said_already(session: AsyncSession, user_id: UUID, consent: bool) -> ConsentRead | None:
    found = await read_consent(session, user_id)
    return found if found.changed_at is not None and found.consent == consent else None


async def record_deed(
    session: AsyncSession, kind: Kind, user_id: UUID, listing_id: UUID, facts: ListingFacts | None
) -> None:
    """Record what a person did to a listing; it lasts if and only if this unit of work does."""
    await queries.enter(session)
    now = await queries.today(session, [user_id])
    salt = now.salt or await queries.begin_day(session, now.day, secrets.token_bytes(DAY_SALT))
    keys = adapters_of(session).get(UsageKeys)
    consent = now.consents.get(user_id)
    row = EventRow(
        id=new_id(),
        kind=kind,
        listing_id=listing_id,
        search_id=None,
        position=None,
        category=facts.category if facts else None,
        words=None,
        visitor=keys.account(salt, user_id),
        person=keys.person(consent, user_id) if consent else None,
        properties="{}",
    )
    await queries.add(session, [row])


async def all_written(session: AsyncSession) -> datetime:
    """A time up to which all events are there to be read; use it in a unit of work of its own, and a short one."""
    return await queries.all_written(session)


async def take_views(session: AsyncSession, upto: datetime, limit: int) -> Views:
    """The views of about `limit` more events until `upto`, which `all_written` gave.

    They are counted if and only if this unit of work lasts: the mark up to which they were counted moves with it. A
    visitor counts once per listing and day (UTC).
    """
    after = await queries.lock_mark(session, queries.VIEWS)
    if upto <= after:
        return Views({}, False)
    until, more = await queries.next_mark(session, after, upto, limit)
    views = await queries.see(session, after, until)
    await queries.move_mark(session, queries.VIEWS, until)
    return Views(views, more)
