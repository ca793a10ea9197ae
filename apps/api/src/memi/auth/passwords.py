"""Password hashes: argon2id made here, bcrypt accepted from imports; always on threads of their own."""

import asyncio
import base64
import math
import os
import secrets
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

import structlog
from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from memi.platform import metrics
from memi.platform.errors import ServiceBusy

log = structlog.get_logger(__name__)
R = TypeVar("R")
MEMORY_KIB, PASSES, LANES = 19_456, 2, 1
"""What OWASP asks of argon2id at least. One lane, so that a hash is one thread's work and the threads bound the CPU."""
_BCRYPT_BYTES = 72
_NICER_BY = 10
_RESTS = 4.0
"""How long a turn rests after it was used, in times of what hashing takes: nobody waits for it but the next in line."""
_ASSUMED_SECONDS = 0.05


def _step_back() -> None:
    """Have the thread give way to those that answer requests; only Linux has a priority for each thread."""
    if sys.platform == "linux":
        try:
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICER_BY)
        except OSError as error:  # a sandbox that forbids it must not keep everybody from signing in
            log.warning("password_threads_not_nice", error=type(error).__name__)


def _unhashed() -> str:
    """A hash, by its form, that no password has; checking a password against it costs what any other costs."""
    salt, digest = (base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${digest}"


class PasswordTurn:
    """A place among those whose password is being dealt with."""

    def __init__(self, hasher: "PasswordHasher") -> None:
        self._hasher = hasher
        self.used = False

    async def hash(self, password: str) -> str:
        """A new hash."""
        self.used = True
        return await self._hasher.run(self._hasher.make, password)

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """(whether it matches, a new hash when the stored one is of an older kind). `stored` None costs the same."""
        self.used = True
        hasher = self._hasher
        matches, better = await hasher.run(hasher.check, password, hasher.decoy if stored is None else stored)
        return (False, None) if stored is None else (matches, better)


class PasswordHasher:
    """Hashes and verifies off the event loop, while argon2 releases the interpreter's lock.

    `threads` of low priority bound how many run at once, and at most `queue` wait; beyond that it is `ServiceBusy`.
    """

    def __init__(self, threads: int, queue: int = 200) -> None:
        argon2 = Argon2Hasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._hash = PasswordHash((argon2, BcryptHasher()))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="password", initializer=_step_back)
        self._threads = threads
        # One more than can run, so that a thread that has done finds the next one ready.
        self._turns = asyncio.Semaphore(threads + 1)
        self._most = threads + queue
        self._in_hand = 0
        self._seconds = _ASSUMED_SECONDS
        self.decoy = _unhashed()

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[PasswordTurn]:
        """Wait for one's turn; raises `ServiceBusy` when too many do.

        What belongs to a sign-in besides hashing goes in here too: a hundred at once would otherwise all look their
        accounts up in the same moment, and everybody else would wait for that.
        """
        if self._in_hand >= self._most:
            wait = math.ceil(self._in_hand * self._seconds * (1 + _RESTS) / (self._threads + 1))
            raise ServiceBusy("Too many are signing in at once; try again shortly.", retry_after=max(1, wait))
        self._in_hand += 1
        metrics.PASSWORD_QUEUE.inc()
        try:
            await self._turns.acquire()
            turn = PasswordTurn(self)
            try:
                yield turn
            finally:
                # The next waits a while longer than it must: a rush of sign-ins takes a share of the machine, not all.
                rest = self._seconds * _RESTS if turn.used else 0.0
                asyncio.get_running_loop().call_later(rest, self._turns.release)
        finally:
            self._in_hand -= 1
            metrics.PASSWORD_QUEUE.dec()

    async def hash(self, password: str) -> str:
        """A new hash; raises `ServiceBusy`."""
        async with self.turn() as turn:
            return await turn.hash(password)

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """As `PasswordTurn.verify`; raises `ServiceBusy`."""
        async with self.turn() as turn:
            return await turn.verify(password, stored)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def make(self, password: str) -> str:
        """On a thread of the pool: a new hash."""
        metrics.PASSWORD_HASHES.inc()
        return self._hash.hash(password)

    def check(self, password: str, stored: str) -> tuple[bool, str | None]:
        """On a thread of the pool: (whether it matches, a new hash if that is due)."""
        if stored.startswith("$2") and len(password.encode()) > _BCRYPT_BYTES:
            return False, None
        metrics.PASSWORD_HASHES.inc()
        try:
            matches, better = self._hash.verify_and_update(password, stored)
        except UnknownHashError:
            return False, None
        if better is not None:
            metrics.PASSWORD_HASHES.inc()
        return matches, better

    async def run(self, function: Callable[..., R], *arguments: str) -> R:
        """Have `function` run on a thread of the pool; for who has a turn."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._timed, function, *arguments)

    def _timed(self, function: Callable[..., R], *arguments: str) -> R:
        started = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            self._seconds += (time.perf_counter() - started - self._seconds) / 8
