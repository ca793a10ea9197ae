"""The numbers of analytics counted once more, row by row in Python, from nothing but the rows that they are about."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self
from uuid import UUID

from support.history import midnight
from support.sql import Sql

STATUSES = ("DRAFT", "ACTIVE", "RESERVED", "SOLD", "EXPIRED", "DELETED", "REMOVED")
MONTH = timedelta(days=30)
Rows = list[dict[str, Any]]


@dataclass
class Recount:
    users: Rows
    here: Rows
    moves: Rows
    lines: Rows
    events: Rows
    categories: dict[UUID, str]

    @classmethod
    async def read(cls, sql: Sql) -> Self:
        listed = await sql.rows("SELECT l.id, k.slug FROM listings l JOIN categories k ON k.id = l.category_id")
        return cls(
            users=await sql.rows("SELECT id, created_at, deleted_at FROM users"),
            here=await sql.rows("SELECT * FROM user_days"),
            moves=await sql.rows("SELECT * FROM status_moves ORDER BY at, id"),
            lines=await sql.rows(
                "SELECT m.*, c.listing_id FROM messages m JOIN chats c ON c.id = m.chat_id ORDER BY m.created_at, c.id"
            ),
            events=await sql.rows("SELECT * FROM usage_events"),
            categories={row["id"]: row["slug"] for row in listed},
        )

    def shown(self) -> dict[UUID, datetime]:
        """When each listing was first shown."""
        found: dict[UUID, datetime] = {}
        for move in self.moves:
            if (move["subject"], move["before"], move["after"]) == ("LISTING", "DRAFT", "ACTIVE"):
                found.setdefault(move["listing_id"], move["at"])
        return found

    def contacted(self) -> dict[UUID, datetime]:
        """When somebody first wrote about each listing."""
        found: dict[UUID, datetime] = {}
        for line in self.lines:
            if line["seq"] == 1:
                found.setdefault(line["listing_id"], line["created_at"])
        return found

    def numbers(self, start: date, end: date) -> dict[str, Any]:
        """A point as the API tells it, without what people are told in another unit."""
        begins, ends = midnight(start), midnight(end + timedelta(days=1))

        def within(rows: Rows, name: str = "at") -> Rows:
            return [row for row in rows if row[name] is not None and begins <= row[name] < ends]

        moved = Counter((move["subject"], move["before"], move["after"]) for move in within(self.moves))

        def into(subject: str, *statuses: str) -> dict[str, int]:
            made = {"made": sum(n for (what, before, _), n in moved.items() if what == subject and before is None)}
            return made | {
                status.lower(): sum(n for (what, _, after), n in moved.items() if (what, after) == (subject, status))
                for status in statuses
            }

        listings = into("LISTING", "DELETED", "REMOVED")
        shown = [at for at in self.shown().values() if begins <= at < ends]
        funnel = self.funnel(start, end)
        events = within(self.events)
        views = [event for event in events if event["kind"] == "LISTING_VIEW"]
        return {
            "start": start.isoformat(),
            "end": end.isoformat(),
            "users": {
                "new": len(within(self.users, "created_at")),
                "left": len(within(self.users, "deleted_at")),
                "active": len({row["user_id"] for row in self.here if start <= row["day"] <= end}),
                "total": sum(
                    user["created_at"] < ends and not (user["deleted_at"] and user["deleted_at"] < ends)
                    for user in self.users
                ),
            },
            "visits": {
                "visitors": len(
                    {
                        (event["at"].astimezone(UTC).date(), event["visitor"])
                        for event in events
                        if event["kind"] in ("LISTING_VIEW", "SEARCH")
                    }
                ),
                "views": len(
                    {(event["at"].astimezone(UTC).date(), event["listing_id"], event["visitor"]) for event in views}
                ),
                "searches": sum(event["kind"] == "SEARCH" for event in events),
            },
            "listings": {
                "created": listings["made"],
                "published": len(shown),
                "sold": moved["LISTING", "ACTIVE", "SOLD"] + moved["LISTING", "RESERVED", "SOLD"],
                "expired": moved["LISTING", "ACTIVE", "EXPIRED"],
                "deleted": listings["deleted"],
                "removed": listings["removed"],
                "by_status": self.by_status(ends),
            },
            "chats": {
                "started": sum(line["seq"] == 1 for line in within(self.lines, "created_at")),
                "messages": sum(line["sender_id"] is not None for line in within(self.lines, "created_at")),
            },
            "reservations": into("RESERVATION", "ACCEPTED", "REJECTED", "CANCELLED", "COMPLETED", "EXPIRED"),
            "orders": into("ORDER", "PAID", "COMPLETED", "CANCELLED", "PAYMENT_FAILED", "REFUNDED"),
            "sell_through": {
                "listed": funnel["listed"],
                "sold": funnel["sold"],
                "share": round(funnel["sold"] / funnel["listed"], 4) if funnel["listed"] else None,
            },
        }

    def by_status(self, ends: datetime) -> dict[str, int]:
        """Where each listing had come to by then."""
        last = {
            move["listing_id"]: move["after"]
            for move in self.moves
            if move["subject"] == "LISTING" and move["at"] < ends
        }
        return {status: sum(found == status for found in last.values()) for status in STATUSES}

    def waits(self, start: date, end: date) -> list[float]:
        """Seconds until the first message, of listings that got it in these days, the shortest first."""
        shown = self.shown()
        return sorted(
            (at - shown[listing]).total_seconds()
            for listing, at in self.contacted().items()
            if listing in shown and midnight(start) <= at < midnight(end + timedelta(days=1))
        )

    def funnel(self, start: date, end: date, categories: set[str] | None = None) -> dict[str, int]:
        begins, ends = midnight(start), midnight(end + timedelta(days=1))
        contacted = self.contacted()
        moves: dict[UUID, Rows] = defaultdict(list)
        for move in self.moves:
            if move["subject"] == "LISTING":
                moves[move["listing_id"]].append(move)
        steps: Counter[str] = Counter(listed=0, contacted=0, reserved=0, sold=0)
        for listing, at in self.shown().items():
            if not begins <= at < ends or (categories is not None and self.categories.get(listing) not in categories):
                continue
            early = [move for move in moves[listing] if move["at"] < at + MONTH]
            steps["listed"] += 1
            steps["contacted"] += listing in contacted and contacted[listing] < at + MONTH
            steps["reserved"] += any(move["after"] == "RESERVED" and move["before"] == "ACTIVE" for move in early)
            steps["sold"] += any(move["after"] == "SOLD" and move["before"] in ("ACTIVE", "RESERVED") for move in early)
        return dict(steps)

    def cohorts(self, start: date, end: date) -> list[dict[str, Any]]:
        """From Monday `start` on, each week up to the one of `end`."""
        found: list[dict[str, Any]] = []
        today = max(row["day"] for row in self.here)
        week = start
        while week <= end:
            people = {
                user["id"] for user in self.users if midnight(week) <= user["created_at"] < midnight(week + _WEEK)
            }
            active: list[int] = []
            other = week
            while other <= max(today, end):
                active.append(
                    len({row["user_id"] for row in self.here if other <= row["day"] < other + _WEEK} & people)
                )
                other += _WEEK
            found.append({"week": week.isoformat(), "people": len(people), "active": active})
            week += _WEEK
        return found

    def top_categories(self, start: date, end: date) -> dict[str, Counter[str]]:
        begins, ends = midnight(start), midnight(end + timedelta(days=1))
        views = {
            (event["at"].astimezone(UTC).date(), event["category"], event["listing_id"], event["visitor"])
            for event in self.events
            if event["kind"] == "LISTING_VIEW" and event["category"] and begins <= event["at"] < ends
        }
        return {
            "views": Counter(category for _, category, _, _ in views),
            "contacts": Counter(
                self.categories[line["listing_id"]]
                for line in self.lines
                if line["seq"] == 1 and begins <= line["created_at"] < ends
            ),
            "sold": Counter(
                self.categories[move["listing_id"]]
                for move in self.moves
                if move["subject"] == "LISTING"
                and move["after"] == "SOLD"
                and move["before"] in ("ACTIVE", "RESERVED")
                and begins <= move["at"] < ends
            ),
        }

    def top_searches(self, start: date, end: date) -> dict[str, tuple[int, int]]:
        """Words with (searches, visitors), of the days on which five different visitors searched for them."""
        by_day: dict[tuple[date, str], list[bytes]] = defaultdict(list)
        for event in self.events:
            day = event["at"].astimezone(UTC).date()
            if event["kind"] == "SEARCH" and event["words"] and start <= day <= end:
                by_day[day, event["words"]].append(event["visitor"])
        found: dict[str, tuple[int, int]] = {}
        for (_, words), visitors in by_day.items():
            if len(set(visitors)) >= 5:
                times, people = found.get(words, (0, 0))
                found[words] = (times + len(visitors), people + len(set(visitors)))
        return found


_WEEK = timedelta(days=7)
