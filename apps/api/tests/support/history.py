"""A varied random past of a whole marketplace, written as rows of the times that they tell of."""

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from memi.listings.lifecycle import RETURNABLE, TABLE, Status, remembered
from support.sql import Sql

LEAVES = ("women-clothes-coats-wool", "men-clothes-jeans", "kids-shoes")
WORDS = ("wool coat", "jeans", "palto", "a name nobody else has", "boots", "")
_RESERVATIONS = (
    ("ACCEPTED", "COMPLETED"), ("ACCEPTED", "CANCELLED"), ("ACCEPTED", "EXPIRED"), ("REJECTED",), ("CANCELLED",),
    ("EXPIRED",), (),
)  # fmt: skip
_ORDERS = (
    ("COMPLETED",), ("CANCELLED",), ("AWAITING_PAYMENT", "PAID", "COMPLETED", "REFUNDED"),
    ("AWAITING_PAYMENT", "PAYMENT_FAILED"), ("AWAITING_PAYMENT", "PAID"), (),
)  # fmt: skip


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


@dataclass
class History:
    """Days from `first` to today, by the database's clock."""

    sql: Sql
    seed: int
    today: date
    now: datetime
    days: int
    categories: dict[str, UUID]
    chance: random.Random = field(init=False)
    users: list[tuple[UUID, datetime]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    @property
    def first(self) -> date:
        return self.today - timedelta(days=self.days - 1)

    def moment(self, since: datetime | None = None) -> datetime:
        """Some time from `since` to now; now and then the very beginning of a day."""
        begin = since or midnight(self.first)
        found = begin + self.chance.random() * (self.now - begin)
        if self.chance.random() < 0.1 and midnight(found.date()) >= begin:
            return midnight(found.date())
        return found


async def write_history(sql: Sql, seed: int, *, days: int = 75, people: int = 40, listings: int = 150) -> History:
    """`sql` must be a superuser's: triggers would write the present into the past."""
    now = await sql.value("SELECT clock_timestamp()")
    categories = {leaf: await sql.value("SELECT id FROM categories WHERE slug = $1", leaf) for leaf in LEAVES}
    assert None not in categories.values()
    history = History(sql, seed, now.astimezone(UTC).date(), now, days, categories)
    for month in range(days // 28 + 2):
        await sql.execute("SELECT usage_make_partition($1)", history.today - timedelta(days=28 * month))
    await sql.execute("SET session_replication_role = replica")
    try:
        await _people(history, people)
        for _ in range(listings):
            await _listing(history)
        await _events(history, 40 * days)
    finally:
        await sql.execute("RESET session_replication_role")
    return history


async def _people(history: History, number: int) -> None:
    for _ in range(number):
        user_id, created = uuid4(), history.moment()
        left = history.moment(created) if history.chance.random() < 0.2 else None
        await history.sql.execute(
            "INSERT INTO users (id, email, name, created_at, deleted_at) VALUES ($1, $2, 'Someone', $3, $4)",
            user_id,
            f"{user_id.hex}@example.com",
            created,
            left,
        )
        days = (history.today - created.date()).days
        here = {created.date() + timedelta(days=history.chance.randint(0, days)) for _ in range(days // 3)}
        await history.sql.connection.executemany(
            "INSERT INTO user_days (day, user_id) VALUES ($1, $2)", [(day, user_id) for day in sorted(here)]
        )
        history.users.append((user_id, created))


def _walk(history: History, created: datetime) -> tuple[list[tuple[datetime, str | None, str]], dict[str, Any]]:
    """A way through the lifecycle table: the moves, and what the row has at their end."""
    chance, at = history.chance, created
    status, previous = Status.DRAFT, None
    moves: list[tuple[datetime, str | None, str]] = [(at, None, "DRAFT")]
    row: dict[str, Any] = {"published_at": None, "sold_at": None, "deleted_at": None}
    for _ in range(chance.choice((0, 1, 1, 2, 3, 3, 4, 6))):
        ways = [line for line in TABLE if status in line.sources]
        if not ways:
            break
        line = chance.choice(ways)
        at = min(history.moment(at), at + timedelta(days=chance.choice((0.01, 2, 20, 45))))
        before, status = status, line.target or Status(previous or "DRAFT")
        previous = remembered(before).value if status in RETURNABLE else None
        moves.append((at, before.value, status.value))
        if status is Status.ACTIVE and row["published_at"] is None:
            row["published_at"] = at
        if line.move == "sold":
            row["sold_at"] = at
        row["deleted_at"] = at if status is Status.DELETED else None
    return moves, {**row, "status": status.value, "previous_status": previous}


async def _listing(history: History) -> None:
    chance, sql = history.chance, history.sql
    seller, since = chance.choice(history.users)
    created, listing_id = history.moment(since), uuid4()
    moves, row = _walk(history, created)
    leaf = chance.choice(LEAVES)
    await sql.execute(
        "INSERT INTO listings (id, seller_id, title, price_amount, currency, condition, category_id, status, "
        "previous_status, created_at, published_at, sold_at, deleted_at) "
        "VALUES ($1, $2, 'Coat', 1000, 'AZN', 'GOOD', $3, $4, $5, $6, $7, $8, $9)",
        listing_id,
        seller,
        history.categories[leaf],
        row["status"],
        row["previous_status"],
        created,
        row["published_at"],
        row["sold_at"],
        row["deleted_at"],
    )
    await _moves(history, "LISTING", listing_id, listing_id, moves)
    if row["published_at"] is not None:
        for _ in range(chance.choice((0, 0, 1, 1, 2, 3))):
            await _chat(history, listing_id, seller, row["published_at"])
        for subject, paths in (("RESERVATION", _RESERVATIONS), ("ORDER", _ORDERS)):
            if chance.random() < 0.4:
                await _deal(history, subject, chance.choice(paths), listing_id, row["published_at"])
    elif chance.random() < 0.3:
        await sql.execute("DELETE FROM listings WHERE id = $1", listing_id)
        await _moves(history, "LISTING", listing_id, listing_id, [(history.moment(moves[-1][0]), moves[-1][2], None)])


async def _moves(
    history: History,
    subject: str,
    subject_id: UUID,
    listing_id: UUID,
    moves: list[tuple[datetime, str | None, str]] | list[tuple[datetime, str, None]],
) -> None:
    await history.sql.connection.executemany(
        "INSERT INTO status_moves (at, subject, subject_id, listing_id, before, after) VALUES ($1, $2, $3, $4, $5, $6)",
        [(at, subject, subject_id, listing_id, before, after) for at, before, after in moves],
    )


async def _deal(history: History, subject: str, path: tuple[str, ...], listing_id: UUID, since: datetime) -> None:
    first = "REQUESTED" if subject == "RESERVATION" else "PENDING"
    at, status, deal_id = history.moment(since), first, uuid4()
    moves: list[tuple[datetime, str | None, str]] = [(at, None, first)]
    for after in path:
        at = history.moment(at)
        moves.append((at, status, after))
        status = after
    await _moves(history, subject, deal_id, listing_id, moves)


async def _chat(history: History, listing_id: UUID, seller: UUID, since: datetime) -> None:
    chance, sql, chat_id = history.chance, history.sql, uuid4()
    buyers = [user_id for user_id, _ in history.users if user_id != seller]
    at = min(history.moment(since), since + timedelta(minutes=chance.choice((0.2, 20, 700, 9000, 90_000))))
    added = await sql.value(
        "INSERT INTO chats (id, listing_id, buyer_id, seller_id, created_at) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT DO NOTHING RETURNING id",
        chat_id,
        listing_id,
        buyer := chance.choice(buyers),
        seller,
        at,
    )
    for seq in range(1, chance.randint(1, 6) if added else 0):
        sender = chance.choice((buyer, seller, None))
        await sql.execute(
            "INSERT INTO messages (id, chat_id, seq, sender_id, kind, body, created_at) "
            "VALUES ($1, $2, $3, $4, $5, 'Hello', $6)",
            uuid4(),
            chat_id,
            seq,
            sender,
            "SYSTEM" if sender is None else "TEXT",
            at,
        )
        at = history.moment(at)


async def _events(history: History, number: int) -> None:
    chance = history.chance
    seen = [uuid4() for _ in range(30)]
    visitors = [chance.randbytes(16) for _ in range(12)]
    rows: list[tuple[Any, ...]] = []
    for _ in range(number):
        kind = chance.choice(("LISTING_VIEW", "LISTING_VIEW", "SEARCH", "SEARCH", "SEARCH_CLICK", "FAVORITE"))
        searched = kind == "SEARCH"
        # Words of one's own are searched for by the same visitor, however often.
        words = chance.choice((*WORDS, None)) if searched else None
        visitor = visitors[0] if words == WORDS[3] else chance.choice(visitors)
        rows.append(
            (
                uuid4(),
                history.moment(),
                kind,
                None if searched else chance.choice(seen),
                None if searched or chance.random() < 0.1 else chance.choice(LEAVES),
                words,
                visitor,
            )
        )
    await history.sql.connection.executemany(
        "INSERT INTO usage_events (id, at, kind, listing_id, category, words, visitor) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        rows,
    )
