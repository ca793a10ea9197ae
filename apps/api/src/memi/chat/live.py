"""The source of chat events: every message to every socket of its two people, once and in order."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

import msgspec

from memi.chat import live_queries as queries
from memi.chat.live_queries import ChatState
from memi.chat.reader import Cursor, Reader
from memi.chat.schemas import MessageRead
from memi.chat.service import TOPIC
from memi.platform.errors import NotFound
from memi.platform.hot_pool import HotPool
from memi.realtime import frames
from memi.realtime.connection import Connection
from memi.realtime.hub import Hub

_OVERLAP = timedelta(seconds=5)
_DEEP_OVERLAP = timedelta(seconds=60)
_DEEP_EVERY = 15.0
_BATCH = 200
CATCH_UP_PAGE = 200
CATCH_UP_BYTES = 262_144
"""About what the bodies of one ack weigh at most: clients limit how long a frame may be."""


class ReadMark(msgspec.Struct):
    """`user_id` has read the chat up to `seq`."""

    chat_id: UUID
    user_id: UUID
    seq: int


class CaughtUp(msgspec.Struct):
    """The answer to `subscribe`. With `has_more`, subscribe again from `next_after_seq`."""

    chat_id: UUID
    items: list[MessageRead]
    has_more: bool
    next_after_seq: int | None
    last_seq: int
    buyer_read_seq: int
    seller_read_seq: int


class ChatFeed:
    """Reads what is newer than each socket's cursors, once per chat however many sockets there are.

    On a poke it reads the chats named. On the timer it reads chats with messages since its last look, and further back
    now and then: a message's time is taken before its commit, so one may become visible late.
    """

    topic = TOPIC

    def __init__(self, hub: Hub, hot: HotPool) -> None:
        self._hub = hub
        self._hot = hot
        self._readers: dict[UUID, dict[Connection, Reader]] = {}
        self._looked_at: datetime | None = None
        self._looked_deep_at: datetime | None = None
        self._deep_due = 0.0
        self._on_attach: list[Callable[[Connection, Reader], None]] = []

    def on_attach(self, callback: Callable[[Connection, Reader], None]) -> None:
        """Have `callback` called for each socket that starts."""
        self._on_attach.append(callback)

    async def attach(self, connection: Connection) -> None:
        """Start a socket at what is committed now."""
        if not self._readers:
            # Nobody was there to be told: what happened since the last look is before everybody's start.
            self._looked_at = self._looked_deep_at = None
        reader = Reader()
        connection.state[ChatFeed] = reader
        self._readers.setdefault(connection.user_id, {})[connection] = reader
        connection.on_close(lambda: self._forget(connection))
        at, states = await queries.baseline(self._hot, connection.user_id)
        reader.begin(at - timedelta(seconds=queries.SETTLED_SECONDS), states)
        for chat_id in reader.missed:
            self._hub.poke(TOPIC, str(chat_id))
        reader.missed.clear()
        for callback in self._on_attach:
            callback(connection, reader)

    async def pull(self, keys: set[str] | None) -> None:
        """Deliver what is new in the chats named, or in any."""
        if keys is not None:
            await self._deliver(await queries.states(self._hot, [UUID(key) for key in keys]))
            return
        deep = time.monotonic() >= self._deep_due
        last, overlap = (self._looked_deep_at, _DEEP_OVERLAP) if deep else (self._looked_at, _OVERLAP)
        since = last - overlap if last is not None else None
        at, states = await queries.moved(self._hot, since, _DEEP_OVERLAP.total_seconds(), list(self._readers))
        if deep:
            # Reading marks move without a message; open chats have theirs looked at too.
            states += await queries.states(self._hot, list(self._watched() - {state.id for state in states}))
        await self._deliver(states)
        self._looked_at = at
        if deep:
            self._looked_deep_at = at
            self._deep_due = time.monotonic() + _DEEP_EVERY

    async def catch_up(self, connection: Connection, chat_id: UUID, after_seq: int | None) -> CaughtUp:
        """What this socket has not been sent of a chat after `after_seq`; raises `NotFound` for strangers."""
        found = await queries.states(self._hot, [chat_id])
        if not found or connection.user_id not in (found[0].buyer_id, found[0].seller_id):
            raise NotFound
        state = found[0]
        reader: Reader = connection.state[ChatFeed]
        await self._start_cursors([(reader, state)])
        cursor = reader.cursors[chat_id]
        items: list[MessageRead] = []
        has_more, next_after_seq = False, None
        if after_seq is not None:
            cursor.skip_to(min(after_seq, state.last_seq))
            sent = (cursor.start, cursor.seq)
            read = await queries.messages_besides(self._hot, chat_id, after_seq, sent, CATCH_UP_PAGE + 1)
            page = _fitting(read[:CATCH_UP_PAGE])
            has_more = len(read) > len(page)
            items = cursor.catch_up(page, state)
            # All of the page may have gone out as events meanwhile; the client goes on behind it all the same.
            next_after_seq = page[-1].seq if has_more else None
        cursor.take_reads(state, moved=True)
        return CaughtUp(
            chat_id=chat_id,
            items=items,
            has_more=has_more,
            next_after_seq=next_after_seq,
            last_seq=max(state.last_seq, cursor.seq),
            buyer_read_seq=state.buyer_read_seq,
            seller_read_seq=state.seller_read_seq,
        )

    def _forget(self, connection: Connection) -> None:
        readers = self._readers.get(connection.user_id, {})
        readers.pop(connection, None)
        if not readers:
            self._readers.pop(connection.user_id, None)

    def _watched(self) -> set[UUID]:
        readers = (reader for by_connection in self._readers.values() for reader in by_connection.values())
        return {chat_id for reader in readers for chat_id in reader.watching}

    def _listeners(self, state: ChatState) -> list[tuple[Connection, Reader]]:
        """The sockets a chat concerns; those that are just starting are told once they have."""
        found: list[tuple[Connection, Reader]] = []
        for user_id in (state.buyer_id, state.seller_id):
            for connection, reader in self._readers.get(user_id, {}).items():
                if reader.baseline is None:
                    reader.missed.add(state.id)
                elif connection.closing is None:
                    found.append((connection, reader))
        return found

    async def _deliver(self, states: Iterable[ChatState]) -> None:
        listeners = {state.id: (state, found) for state in states if (found := self._listeners(state))}
        await self._start_cursors([(reader, state) for state, found in listeners.values() for _, reader in found])
        behind: dict[UUID, int] = {}
        for chat_id, (state, found) in listeners.items():
            lowest = min(reader.cursors[chat_id].seq for _, reader in found)
            if lowest < state.last_seq:
                behind[chat_id] = lowest
        moved = set(behind)
        while behind:
            messages = await queries.messages_after(self._hot, behind, _BATCH)
            behind = {}
            for chat_id, group in groupby(messages, key=lambda message: message.chat_id):
                batch = list(group)
                self._send(batch, *listeners[chat_id])
                if len(batch) == _BATCH:
                    behind[chat_id] = batch[-1].seq
        for chat_id, (state, found) in listeners.items():
            for connection, reader in found:
                for user_id, seq in reader.cursors[chat_id].take_reads(state, moved=chat_id in moved):
                    connection.send_event("chat.read", ReadMark(chat_id, user_id, seq))

    def _send(
        self, messages: Sequence[MessageRead], state: ChatState, found: Sequence[tuple[Connection, Reader]]
    ) -> None:
        for message in messages:
            frame: str | None = None
            for connection, reader in found:
                if reader.cursors[state.id].take(message, state):
                    frame = frame or frames.event("message.created", message)
                    connection.send(frame)

    async def _start_cursors(self, wanted: Sequence[tuple[Reader, ChatState]]) -> None:
        """Give readers a cursor for chats that were quiet when they started: all that was settled by then is past."""
        missing = [(reader, state) for reader, state in wanted if state.id not in reader.cursors]
        if not missing:
            return
        pairs = [(state.id, reader.baseline) for reader, state in missing if reader.baseline is not None]
        seqs = await queries.seqs_before(self._hot, pairs)
        for (reader, state), seq in zip(missing, seqs, strict=True):
            # A chat without a past is all news, its reading marks included.
            cursor = Cursor(seq, seq, 0, 0) if seq == 0 else Cursor(seq, seq)
            reader.cursors.setdefault(state.id, cursor)


def _fitting(messages: Sequence[MessageRead]) -> list[MessageRead]:
    """The first of them, at least one, that together fit into a frame."""
    fitting: list[MessageRead] = []
    size = 0
    for message in messages:
        size += len(message.body.encode())
        if fitting and size > CATCH_UP_BYTES:
            break
        fitting.append(message)
    return fitting
