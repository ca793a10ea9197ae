"""Statements of checking the audit log's chain. They build what was hashed themselves, from the columns."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from memi.audit.chain import Head, Link
from memi.audit.models import AuditHead

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any]
else:
    Connection = asyncpg.Connection
_BATCH = 500
GUARDS = (
    ("audit_log", "audit_log_link"),
    ("audit_log", "audit_log_only_linked"),
    ("audit_log", "audit_log_not_updated"),
    ("audit_log", "audit_log_append_only"),
    ("audit_log", "audit_log_unlinked"),
    ("audit_head", "audit_head_follows"),
    ("messages", "messages_are_kept"),
    ("messages", "messages_lose_only_words"),
    ("messages", "messages_begin_with_words"),
    ("users", "users_are_erased_in_time"),
    ("users", "users_stay_erased"),
)
"""Triggers without which entries could be changed, or words be erased of which there is no entry."""
_LINKS = """
SELECT chain_seq, hash, id, concat_ws(' ', at::text, action) AS said, convert_to(jsonb_build_array(
    chain_seq, id, extract(epoch FROM at)::text, actor_id, impersonator_id,
    action, target_type, target_id, reason, before, after
)::text, 'UTF8') AS words
FROM audit_log ORDER BY chain_seq NULLS LAST
"""
_WATCHFUL = """
SELECT tgrelid::regclass::text || '.' || tgname::text FROM pg_trigger
WHERE NOT tgisinternal AND tgenabled = 'A' AND tgrelid::regclass::text = ANY ($1::text[])
"""


LENGTH = "SELECT seq FROM audit_head"


@asynccontextmanager
async def snapshot(url: str) -> AsyncGenerator[Connection]:
    """A connection that sees the log as it is now, however long the block takes and whatever is added meanwhile."""
    connection = await asyncpg.connect(url, server_settings={"application_name": "memi doctor", "timezone": "UTC"})
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
    finally:
        await connection.close()


async def head(connection: Connection) -> Head | None:
    row = await connection.fetchrow("SELECT seq, hash FROM audit_head")
    return None if row is None else Head(row["seq"], row["hash"])


async def links(connection: Connection) -> AsyncGenerator[Link]:
    """Every entry by its number, those that have none last; a bounded number of them at a time."""
    async for row in connection.cursor(_LINKS, prefetch=_BATCH):
        yield Link(row["chain_seq"], row["hash"], row["words"], row["id"], row["said"])


async def sleeping_guards(connection: Connection) -> list[str]:
    """Triggers that protect the log and the words that it must name, and are gone or do not always fire."""
    tables = sorted({table for table, _ in GUARDS})
    found = {row[0] for row in await connection.fetch(_WATCHFUL, tables)}
    return [name for name in (f"{table}.{trigger}" for table, trigger in GUARDS) if name not in found]


async def head_of(session: AsyncSession) -> Head | None:
    row = (await session.execute(select(AuditHead.seq, AuditHead.hash))).first()
    return None if row is None else Head(row.seq, row.hash)
