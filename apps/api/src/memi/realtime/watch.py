"""Ends sockets whose sign-in ended: the token ran out, the session was revoked, staff need a second factor first."""

import asyncio
import time
from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

import msgspec
import structlog

from memi.platform.errors import InvalidToken
from memi.platform.principal import Principal, SessionCheck
from memi.realtime.connection import Connection
from memi.realtime.frames import CloseCode

log = structlog.get_logger(__name__)
SESSIONS_TOPIC = "sessions"
"""Poked with a person's id after sessions of theirs ended or their roles changed."""
_TICK_SECONDS = 1.0
_RECHECK_SECONDS = 30.0
_RETRY_SECONDS = 0.5
EXPIRY_NOTICE_SECONDS = 60.0


class SessionExpiring(msgspec.Struct):
    """Send `auth` with a fresh access token before `in_seconds` are over, or the socket closes with 4401."""

    in_seconds: int


class Sockets(Protocol):
    """What the watch asks of the hub."""

    def connected_users(self) -> set[UUID]: ...

    def connections(self) -> list[Connection]: ...

    def connections_of(self, user_id: UUID) -> Iterable[Connection]: ...


class SessionWatch:
    """One timer and one checker for all sockets of the process."""

    def __init__(self, sockets: Sockets, check: SessionCheck) -> None:
        self._sockets = sockets
        self._check = check
        self._suspects: set[UUID] = set()
        self._wake = asyncio.Event()

    def poke(self, key: str | None) -> None:
        """Sessions of this person, or of anyone, may have ended."""
        if key is None:
            self._suspects.update(self._sockets.connected_users())
        else:
            self._suspects.add(UUID(key))
        self._wake.set()

    async def tick(self) -> None:
        """Watch the tokens' ends, and now and then suspect everybody, because a poke may have been lost."""
        recheck = time.monotonic() + _RECHECK_SECONDS
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            now = time.time()
            for connection in self._sockets.connections():
                self._watch_expiry(connection, connection.principal.expires_at.timestamp() - now)
            if time.monotonic() >= recheck:
                recheck = time.monotonic() + _RECHECK_SECONDS
                self.poke(None)

    async def run(self) -> None:
        """Check suspects until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._suspects:
                user_id = self._suspects.pop()
                try:
                    await self._check_person(user_id)
                except Exception as error:
                    # Not knowing is no reason to close, and this loop must outlive whatever the database does.
                    log.warning("session_check_failed", error=type(error).__name__)
                    self._suspects.add(user_id)
                    await asyncio.sleep(_RETRY_SECONDS)

    async def _check_person(self, user_id: UUID) -> None:
        by_session: dict[UUID, list[Connection]] = {}
        for connection in self._sockets.connections_of(user_id):
            by_session.setdefault(connection.principal.session_id, []).append(connection)
        for connections in by_session.values():
            if not await self._may_stay(connections[0].principal):
                for connection in connections:
                    connection.close(CloseCode.NOT_AUTHENTICATED)

    async def _may_stay(self, principal: Principal) -> bool:
        try:
            return not (await self._check.check(principal)).may_only_enrol
        except InvalidToken:
            return False

    @staticmethod
    def _watch_expiry(connection: Connection, seconds: float) -> None:
        if seconds <= 0:
            connection.close(CloseCode.NOT_AUTHENTICATED)
        elif seconds <= EXPIRY_NOTICE_SECONDS and not connection.warned_of_expiry:
            connection.warned_of_expiry = True
            connection.send_event("session.expiring", SessionExpiring(int(seconds)))
