"""How far one socket has been told of each chat. Pure: it decides what is sent, and reads nothing."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from memi.chat.live_queries import ChatState
from memi.chat.schemas import MessageRead


@dataclass(slots=True)
class Cursor:
    """Events carried (start, seq] of a chat; what came before `start` is for `subscribe` to make up.

    The reading marks are the last ones told; None as long as nothing is known.
    """

    start: int
    seq: int
    buyer_read: int | None = None
    seller_read: int | None = None

    def take(self, message: MessageRead, state: ChatState) -> bool:
        """Whether to send `message` as an event now: exactly once, in order. A gap is left to the next read."""
        if message.seq != self.seq + 1:
            return False
        self.seq = message.seq
        self._imply_reads(message, state)
        return True

    def catch_up(self, items: list[MessageRead], state: ChatState) -> list[MessageRead]:
        """What an ack may carry of `items`: not what went out as events while they were being read.

        What the ack carries beyond the events so far will not be sent as events.
        """
        quiet = self.start == self.seq
        kept = [item for item in items if not self.start < item.seq <= self.seq]
        for item in kept:
            self.take(item, state)
        if quiet:
            self.start = self.seq
        return kept

    def skip_to(self, seq: int) -> None:
        """The client has everything up to `seq` from elsewhere."""
        if seq > self.seq:
            self.start = seq if self.start == self.seq else self.start
            self.seq = seq

    def take_reads(self, state: ChatState, *, moved: bool) -> list[tuple[UUID, int]]:
        """Reading marks to tell, as (person, seq). A first sight together with messages is no news."""
        news: list[tuple[UUID, int]] = []
        buyer, seller = state.buyer_read_seq, state.seller_read_seq
        if _is_news(self.buyer_read, buyer, moved=moved):
            news.append((state.buyer_id, buyer))
        if _is_news(self.seller_read, seller, moved=moved):
            news.append((state.seller_id, seller))
        self.buyer_read = max(buyer, self.buyer_read or 0)
        self.seller_read = max(seller, self.seller_read or 0)
        return news

    def _imply_reads(self, message: MessageRead, state: ChatState) -> None:
        """Mirror what the message itself did to the marks, so that nobody is told twice."""
        seq = message.seq
        system = message.sender_id is None
        if self.buyer_read is not None and (
            message.sender_id == state.buyer_id or (system and self.buyer_read == seq - 1)
        ):
            self.buyer_read = seq
        if self.seller_read is not None and (
            message.sender_id == state.seller_id or (system and self.seller_read == seq - 1)
        ):
            self.seller_read = seq


def _is_news(known: int | None, seq: int, *, moved: bool) -> bool:
    if known is None:
        return seq > 0 and not moved
    return seq > known


class Reader:
    """One socket's cursors. Chats that had been quiet when it started get theirs when they first move."""

    __slots__ = ("baseline", "cursors", "missed", "watching")

    def __init__(self) -> None:
        self.baseline: datetime | None = None
        """Everything written before this time was committed before the socket started. None while it starts."""
        self.cursors: dict[UUID, Cursor] = {}
        self.missed: set[UUID] = set()
        """Chats that moved while the socket was starting."""
        self.watching: dict[UUID, UUID] = {}
        """Subscribed chats, with the other person of each."""

    def begin(self, baseline: datetime, states: list[ChatState]) -> None:
        self.baseline = baseline
        for state in states:
            self.cursors[state.id] = cursor_at(state)


def cursor_at(state: ChatState) -> Cursor:
    """A cursor that has been told everything there is."""
    return Cursor(state.last_seq, state.last_seq, state.buyer_read_seq, state.seller_read_seq)
