"""What was noted on flags may repeat what people wrote: it goes when moderators have long been done with it."""

from datetime import timedelta
from uuid import UUID

import pytest

from memi.chat.jobs import forget_notes as forget_on_messages
from memi.listings.jobs import forget_notes as forget_on_listings
from memi.platform.ids import new_id
from memi.platform.runtime import Runtime
from support.sql import Sql
from support.talks import Talks
from support.talks import talks as talks

AGES: dict[str, timedelta | None] = {
    "long": timedelta(days=90, minutes=1),
    "lately": timedelta(days=90) - timedelta(minutes=1),
    "open": None,
}


async def flag(sql: Sql, table: str, about: str) -> None:
    """Three flags, made long ago and resolved so long ago."""
    owner = "listing_id" if table == "listing_flags" else "message_id"
    for kind, age in AGES.items():
        await sql.execute(
            f"INSERT INTO {table} (id, {owner}, kind, source, note, created_at, resolved_at)"
            " VALUES ($1, $2, $3, 'PLUGIN', 'says: call me', now() - interval '1 year', now() - $4::interval)",
            new_id(),
            UUID(about),
            kind,
            age,
        )


@pytest.mark.parametrize("table", ["listing_flags", "message_flags"])
async def test_only_of_what_was_resolved_long_ago(sql: Sql, talks: Talks, runtime: Runtime, table: str) -> None:
    talk = await talks.new()
    message = await sql.value("SELECT id FROM messages WHERE chat_id = $1", UUID(talk.id))
    await flag(sql, table, talk.listing_id if table == "listing_flags" else str(message))
    await (forget_on_listings if table == "listing_flags" else forget_on_messages).run(runtime)
    rows = await sql.rows(f"SELECT kind, note FROM {table} WHERE kind = ANY($1)", list(AGES))
    assert {row["kind"]: row["note"] for row in rows} == {
        "long": None,
        "lately": "says: call me",
        "open": "says: call me",
    }
