"""A growing wait after wrong passwords or codes in a row: never for ever, and the same whether the account exists.

Who must wait is known by a keyed hash of what was named. A wait is 1 second after the fifth failure and doubles with
each, up to 15 minutes; a success, a new password, or a day without a failure ends it. Calls made while one must wait
are refused before anything is hashed, and do not count.
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth import lockout_queries as queries
from memi.auth.errors import TooManyAttempts
from memi.auth.passwords import PasswordHasher, PasswordTurn
from memi.platform.errors import ServiceBusy
from memi.platform.jobs import recurring
from memi.platform.keyring import KeyRing
from memi.platform.runtime import Runtime

FREE_FAILURES = 4
LONGEST_WAIT = 900.0
FORGOTTEN_AFTER = timedelta(hours=24)
_AT_ONCE = 2


def subject_of_address(key_ring: KeyRing, address: str) -> bytes:
    """Whom passwords are guessed for."""
    return _subject(key_ring, f"address:{address.strip().lower()}")


def subject_of_codes(key_ring: KeyRing, user_id: UUID) -> bytes:
    """Whose second factor is guessed."""
    return _subject(key_ring, f"codes:{user_id}")


def _subject(key_ring: KeyRing, named: str) -> bytes:
    return hmac.digest(key_ring.signing_key("lockout"), named.encode(), hashlib.sha256)


async def check(runtime: Runtime, subject: bytes) -> None:
    """Raises `TooManyAttempts` while the subject must wait."""
    rows = await runtime.database.hot.fetch(queries.WAIT, subject)
    if rows:
        raise TooManyAttempts(max(1, rows[0]["seconds"]))


async def failed(runtime: Runtime, subject: bytes) -> int:
    """Count a wrong attempt now, since its request ends in a refusal and keeps nothing; how many there are in a row."""
    rows = await runtime.database.hot.fetch(queries.FAILED, subject, FREE_FAILURES + 1, LONGEST_WAIT, FORGOTTEN_AFTER)
    return rows[0]["failures"]


async def succeeded(session: AsyncSession, subject: bytes) -> None:
    """Forget the failures, with what the success does."""
    await queries.forget(session, subject)


class Turns:
    """Looks at a few attempts of a subject at a time, so that of a thousand at once not all are looked at before the
    first has failed. Waiting holds no connection."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_subject: dict[bytes, tuple[asyncio.Semaphore, list[None]]] = {}

    @asynccontextmanager
    async def of(self, subject: bytes) -> AsyncGenerator[None]:
        """Raises `ServiceBusy` when too many wait already."""
        turn, present = self._by_subject.setdefault(subject, (asyncio.Semaphore(_AT_ONCE), []))
        if len(present) >= self._most:
            raise ServiceBusy("Too many are signing in at once; try again shortly.")
        present.append(None)
        try:
            async with turn:
                yield
        finally:
            present.pop()
            if not present:
                del self._by_subject[subject]


@asynccontextmanager
async def attempt(runtime: Runtime, subject: bytes) -> AsyncGenerator[None]:
    """Look at one attempt; what fails in the block says so by `failed` before it ends.

    Raises `TooManyAttempts` while the subject must wait.
    """
    async with runtime.adapters.get(Turns).of(subject):
        await check(runtime, subject)
        yield


@asynccontextmanager
async def password_attempt(runtime: Runtime, subject: bytes) -> AsyncGenerator[PasswordTurn]:
    """The same for one that hashes: it waits for its turn at that before anything is asked of the database.

    Raises `TooManyAttempts`, `ServiceBusy`.
    """
    async with runtime.adapters.get(Turns).of(subject), runtime.adapters.get(PasswordHasher).turn() as turn:
        await check(runtime, subject)
        yield turn


@recurring(timedelta(hours=1))
async def prune_failures(runtime: Runtime) -> None:
    """Keep no longer than they count what strangers may write by the million."""
    async with runtime.unit_of_work() as session:
        await queries.prune(session, FORGOTTEN_AFTER)
