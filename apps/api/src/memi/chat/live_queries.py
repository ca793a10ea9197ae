"""What sockets read: each is one statement on the hot pool, because they run for every message and every poke."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from memi.chat.schemas import MessageRead
from memi.platform.hot_pool import HotPool
from memi.users.blocks_queries import block_between

ACTIVE_SECONDS = 300
"""Chats with a message this young get an exact cursor when a socket starts; older ones when they first move."""
SETTLED_SECONDS = 150
"""A message this old is committed: far longer than any unit of work may last after writing one."""
WINDOW = 2000

_STATE = "id, buyer_id, seller_id, last_seq, buyer_read_seq, seller_read_seq"
_MESSAGE = "m.id, m.chat_id, m.seq, m.sender_id, m.kind, m.body, m.client_id, m.created_at, m.words_erased_at"

_BY_ID = f"SELECT {_STATE} FROM chats WHERE id = ANY($1::uuid[])"  # noqa: S608  # only our own column lists
_BASELINE = f"""
SELECT now() AS at, c.* FROM (VALUES (1)) AS one LEFT JOIN LATERAL (
    SELECT {_STATE} FROM chats WHERE buyer_id = $1 AND last_message_at > now() - make_interval(secs => $2)
    UNION ALL
    SELECT {_STATE} FROM chats WHERE seller_id = $1 AND last_message_at > now() - make_interval(secs => $2)
) AS c ON true
"""  # noqa: S608  # only our own column lists
_MOVED = f"""
SELECT now() AS at, c.* FROM (VALUES (1)) AS one LEFT JOIN LATERAL (
    SELECT {_STATE}, last_message_at FROM chats
    WHERE last_message_at >= coalesce($1, now() - make_interval(secs => $2))
        AND (buyer_id IN (SELECT unnest($3::uuid[])) OR seller_id IN (SELECT unnest($3::uuid[])))
    ORDER BY last_message_at LIMIT $4
) AS c ON true
"""  # noqa: S608  # only our own column lists
_SEQ_BEFORE = """
SELECT t.place, coalesce((
    SELECT m.seq FROM messages m WHERE m.chat_id = t.chat_id AND m.created_at < t.before ORDER BY m.seq DESC LIMIT 1
), 0) AS seq
FROM unnest($1::int[], $2::uuid[], $3::timestamptz[]) AS t(place, chat_id, before)
"""
_AFTER = f"""
SELECT {_MESSAGE} FROM unnest($1::uuid[], $2::bigint[]) AS t(chat_id, seq) CROSS JOIN LATERAL (
    SELECT * FROM messages n WHERE n.chat_id = t.chat_id AND n.seq > t.seq ORDER BY n.seq LIMIT $3
) AS m ORDER BY m.chat_id, m.seq
"""  # noqa: S608  # only our own column lists
_BESIDES = f"""
SELECT {_MESSAGE} FROM messages m
WHERE m.chat_id = $1 AND m.seq > $2 AND NOT (m.seq > $3 AND m.seq <= $4) ORDER BY m.seq LIMIT $5
"""  # noqa: S608  # only our own column lists
_OPEN = f"""
SELECT c.other_id, c.blocked OR b.apart AS blocked, u.show_last_seen AND NOT b.apart AS shows_presence
FROM (
    SELECT CASE WHEN buyer_id = $2 THEN seller_id ELSE buyer_id END AS other_id,
        buyer_blocked_at IS NOT NULL OR seller_blocked_at IS NOT NULL AS blocked
    FROM chats WHERE id = $1 AND $2 IN (buyer_id, seller_id)
) AS c
JOIN users u ON u.id = c.other_id
CROSS JOIN LATERAL (SELECT {block_between("c.other_id", "$2")} AS apart) AS b
"""  # noqa: S608  # only our own clauses
_UNSEEN = f"""
SELECT t.watcher, t.watched FROM unnest($1::uuid[], $2::uuid[]) AS t(watcher, watched) JOIN users u ON u.id = t.watched
WHERE NOT u.show_last_seen OR {block_between("t.watcher", "t.watched")}
"""  # noqa: S608  # only our own clauses


class OtherSide(NamedTuple):
    """The other person of a chat, as one of its two may know of them now."""

    user_id: UUID
    blocked: bool
    """The chat, or one of the two."""
    shows_presence: bool


class ChatState(NamedTuple):
    """Where a chat stands."""

    id: UUID
    buyer_id: UUID
    seller_id: UUID
    last_seq: int
    buyer_read_seq: int
    seller_read_seq: int


async def states(hot: HotPool, chat_ids: Sequence[UUID]) -> list[ChatState]:
    return [ChatState(*row) for row in await hot.fetch(_BY_ID, list(chat_ids))]


async def baseline(hot: HotPool, user_id: UUID) -> tuple[datetime, list[ChatState]]:
    """The database's time and the person's chats that moved lately, as of one moment."""
    rows = await hot.fetch(_BASELINE, user_id, float(ACTIVE_SECONDS))
    return rows[0]["at"], [ChatState(*tuple(row)[1:]) for row in rows if row["id"] is not None]


async def moved(
    hot: HotPool, since: datetime | None, default_seconds: float, user_ids: Sequence[UUID]
) -> tuple[datetime, list[ChatState]]:
    """(the database's time, these people's chats with a message since `since`, or in the last `default_seconds`)."""
    people, found, at = list(user_ids), dict[UUID, ChatState](), None
    while True:
        rows = await hot.fetch(_MOVED, since, default_seconds, people, WINDOW)
        at = at or rows[0]["at"]
        found.update((row["id"], ChatState(*tuple(row)[1:-1])) for row in rows if row["id"] is not None)
        last: datetime | None = rows[-1]["last_message_at"]
        if len(rows) < WINDOW or last == since:
            return at, list(found.values())
        since = last


async def seqs_before(hot: HotPool, pairs: Sequence[tuple[UUID, datetime]]) -> list[int]:
    """For each (chat, time): the last message written before that time, 0 for none."""
    rows = await hot.fetch(
        _SEQ_BEFORE, list(range(len(pairs))), [chat_id for chat_id, _ in pairs], [before for _, before in pairs]
    )
    seqs: dict[int, int] = {row["place"]: row["seq"] for row in rows}
    return [seqs[place] for place in range(len(pairs))]


async def messages_after(hot: HotPool, after: dict[UUID, int], limit: int) -> list[MessageRead]:
    """The next messages of several chats, at most `limit` of each, by chat and in order."""
    return _messages(await hot.fetch(_AFTER, list(after), list(after.values()), limit))


async def messages_besides(
    hot: HotPool, chat_id: UUID, after: int, sent: tuple[int, int], limit: int
) -> list[MessageRead]:
    """Messages after `after` except those in the half-open range (sent[0], sent[1]]."""
    return _messages(await hot.fetch(_BESIDES, chat_id, after, *sent, limit))


async def other_side(hot: HotPool, chat_id: UUID, user_id: UUID) -> OtherSide | None:
    """The other person of the chat; None for strangers."""
    rows = await hot.fetch(_OPEN, chat_id, user_id)
    return OtherSide(*rows[0]) if rows else None


async def unseen(hot: HotPool, pairs: Collection[tuple[UUID, UUID]]) -> list[tuple[UUID, UUID]]:
    """Of these (watcher, watched) those in which the watched may not be seen to be there."""
    rows = await hot.fetch(_UNSEEN, [watcher for watcher, _ in pairs], [watched for _, watched in pairs])
    return [(row["watcher"], row["watched"]) for row in rows]


def _messages(rows: Sequence[Any]) -> list[MessageRead]:
    return [MessageRead(*row) for row in rows]
