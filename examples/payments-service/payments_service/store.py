"""Payments, answered keys and events to tell, in one SQLite file; each change commits with its event."""

import hashlib
import json
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

SCHEMA = """
CREATE TABLE IF NOT EXISTS payments (
    id TEXT PRIMARY KEY, order_id TEXT NOT NULL UNIQUE, amount INTEGER NOT NULL, currency TEXT NOT NULL,
    description TEXT NOT NULL, return_url TEXT, status TEXT NOT NULL, updated_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS answered (key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, payment_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, body TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL, told INTEGER NOT NULL DEFAULT 0
);
"""
MOVES = {
    "pay": ("PENDING", "SUCCEEDED"),
    "fail": ("PENDING", "FAILED"),
    "cancel": ("PENDING", "CANCELLED"),
    "refund": ("SUCCEEDED", "REFUNDED"),
}
Row = dict[str, Any]


class KeyReused(Exception):
    """The Idempotency-Key was used with another request."""


class Store:
    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        self._db.row_factory = sqlite3.Row
        self._db.executescript(SCHEMA)

    def payment(self, payment_id: str) -> Row | None:
        row = self._db.execute("SELECT * FROM payments WHERE id = ?", (payment_id,)).fetchone()
        return None if row is None else dict(row)

    def answered(self, key: str, path: str, body: bytes) -> Row | None:
        """The payment that the first request under this key led to; raises `KeyReused`."""
        row = self._db.execute("SELECT * FROM answered WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        if row["fingerprint"] != _fingerprint(path, body):
            raise KeyReused
        return self.payment(row["payment_id"])

    def begin(self, key: str, path: str, body: bytes, asked: Row) -> Row:
        """A payment to be made; an order has one at most, whatever the key."""
        with self._db:
            self._db.execute(
                "INSERT INTO payments VALUES (?, ?, ?, ?, ?, ?, 'PENDING', ?) ON CONFLICT (order_id) DO NOTHING",
                (f"pay_{uuid4().hex}", *(asked[name] for name in _ASKED), _now()),
            )
            row = self._db.execute("SELECT * FROM payments WHERE order_id = ?", (asked["order_id"],)).fetchone()
            self._remember(key, path, body, row["id"])
        return dict(row)

    def move(self, payment_id: str, move: str, key: str | None = None, path: str = "", body: bytes = b"") -> Row:
        """Make the move if the payment is where it begins; tells of it. Returns the payment as it is then."""
        before, after = MOVES[move]
        with self._db:
            moved = self._db.execute(
                "UPDATE payments SET status = ?, updated_at = ? WHERE id = ? AND status = ?",
                (after, _now(), payment_id, before),
            ).rowcount
            if key is not None:
                self._remember(key, path, body, payment_id)
            found = self.payment(payment_id)
            assert found is not None
            if moved:
                self._tell(found)
        return found

    def due(self, newest_first: bool) -> list[Row]:
        """Events to be delivered now."""
        order = "DESC" if newest_first else "ASC"
        query = f"SELECT * FROM events WHERE told = 0 AND due <= ? ORDER BY seq {order} LIMIT 50"  # noqa: S608
        return [dict(row) for row in self._db.execute(query, (time.time(),))]

    def told(self, seq: int) -> None:
        with self._db:
            self._db.execute("UPDATE events SET told = 1 WHERE seq = ?", (seq,))

    def try_later(self, seq: int, tries: int) -> None:
        with self._db:
            due = time.time() + min(30.0, 0.2 * 2**tries)
            self._db.execute("UPDATE events SET tries = ?, due = ? WHERE seq = ?", (tries + 1, due, seq))

    def events(self) -> list[Row]:
        return [dict(row) for row in self._db.execute("SELECT id, body, tries, told FROM events ORDER BY seq")]

    def close(self) -> None:
        self._db.close()

    def _remember(self, key: str, path: str, body: bytes, payment_id: str) -> None:
        self._db.execute("INSERT INTO answered VALUES (?, ?, ?)", (key, _fingerprint(path, body), payment_id))

    def _tell(self, payment: Row) -> None:
        data = {"payment_id": payment["id"], **{name: payment[name] for name in ("order_id", "amount", "currency")}}
        event = {"type": f"payment.{payment['status'].lower()}", "timestamp": payment["updated_at"], "data": data}
        self._db.execute(
            "INSERT INTO events (id, body, due) VALUES (?, ?, ?)",
            (f"evt_{uuid4().hex}", json.dumps(event), time.time()),
        )


_ASKED = ("order_id", "amount", "currency", "description", "return_url")


def _fingerprint(path: str, body: bytes) -> str:
    return hashlib.sha256(path.encode() + b"\0" + body).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
