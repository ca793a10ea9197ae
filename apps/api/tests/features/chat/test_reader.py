"""What a socket is told, and what not: pure."""

from datetime import UTC, datetime
from uuid import UUID

from memi.chat.live_queries import ChatState
from memi.chat.reader import Cursor, cursor_at
from memi.chat.schemas import MessageRead
from memi.platform.ids import new_id

CHAT, BUYER, SELLER = new_id(), new_id(), new_id()


def message(seq: int, sender: UUID | None = BUYER) -> MessageRead:
    kind = "TEXT" if sender else "SYSTEM"
    return MessageRead(new_id(), CHAT, seq, sender, kind, "x", None, datetime.now(UTC), None)


def state(last: int, buyer: int = 0, seller: int = 0) -> ChatState:
    return ChatState(CHAT, BUYER, SELLER, last, buyer, seller)


class TestTake:
    def test_each_once_and_in_order(self) -> None:
        cursor = Cursor(3, 3)
        taken = [cursor.take(message(seq), state(6)) for seq in (3, 4, 4, 6, 5, 6)]
        assert taken == [False, True, False, False, True, True]


class TestCatchUp:
    def test_what_came_before_the_socket_comes_whole(self) -> None:
        cursor = Cursor(3, 3)
        assert len(cursor.catch_up([message(1), message(2), message(3)], state(3))) == 3
        assert cursor.seq == 3

    def test_what_went_out_as_an_event_is_left_out(self) -> None:
        cursor = Cursor(2, 2)
        items = [message(seq) for seq in (1, 2, 3, 4)]
        cursor.take(items[2], state(4))  # sent while the items were being read
        assert [item.seq for item in cursor.catch_up(items, state(4))] == [1, 2, 4]
        assert cursor.seq == 4

    def test_what_the_ack_carries_is_no_event_later(self) -> None:
        cursor = Cursor(0, 0)
        cursor.catch_up([message(1), message(2)], state(2))
        assert not cursor.take(message(2), state(2))
        assert cursor.take(message(3), state(3))

    def test_a_page_that_ends_before_the_events_began_moves_nothing(self) -> None:
        cursor = Cursor(500, 500)
        cursor.catch_up([message(seq) for seq in range(1, 201)], state(500))
        assert (cursor.start, cursor.seq) == (500, 500)

    def test_a_client_that_knows_more_is_believed(self) -> None:
        cursor = Cursor(2, 2)
        cursor.skip_to(5)
        assert not cursor.take(message(5), state(6))
        assert cursor.take(message(6), state(6))


class TestReadingMarks:
    def test_are_told_when_they_move(self) -> None:
        cursor = cursor_at(state(3, 3, 1))
        assert cursor.take_reads(state(3, 3, 2), moved=False) == [(SELLER, 2)]
        assert cursor.take_reads(state(3, 3, 2), moved=False) == []

    def test_a_message_speaks_for_its_sender(self) -> None:
        cursor = cursor_at(state(3, 3, 1))
        cursor.take(message(4), state(4, 4, 1))
        assert cursor.take_reads(state(4, 4, 1), moved=True) == []

    def test_a_system_line_is_no_reading(self) -> None:
        cursor = cursor_at(state(3, 3, 1))
        cursor.take(message(4, None), state(4, 4, 1))
        assert cursor.take_reads(state(4, 4, 1), moved=True) == []

    def test_at_first_sight_only_a_mark_that_moved_alone_is_news(self) -> None:
        assert Cursor(3, 3).take_reads(state(3, 3, 2), moved=False) == [(BUYER, 3), (SELLER, 2)]
        assert Cursor(3, 3).take_reads(state(4, 4, 2), moved=True) == []
