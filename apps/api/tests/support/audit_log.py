"""An audit log of its own, in a database of its own, that a test may tamper with as only a superuser can."""

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
import pytest

from memi.audit import checking
from memi.audit.chain import START, Anchor, Broken, Head
from memi.audit.chain_queries import GUARDS
from memi.platform.embedded_postgres import EmbeddedUrls
from support.sql import Sql

ADD = """
INSERT INTO audit_log (id, action, target_type, target_id, reason, before, after)
VALUES ($1, 'thing.done', 'THING', $2, 'because', '{"status": "A", "price": 1.50}', '{"status": ["B", null]}')
RETURNING id
"""
WORDS = """
SELECT id, chain_seq, audit_log_words(chain_seq, a) AS words FROM audit_log a WHERE chain_seq >= $1 ORDER BY chain_seq
"""


@dataclass
class Log:
    """`urls` of its database, by role."""

    urls: EmbeddedUrls
    app: Sql
    superuser: Sql

    async def add(self, count: int) -> list[UUID]:
        """Entries as the service adds them, each in a transaction of its own."""
        return [await self.app.value(ADD, uuid4(), f"t{number}") for number in range(count)]

    async def tamper(self, *statements: str) -> None:
        """Take the guards away, do it, and put them back as they were."""
        for table, name in GUARDS:
            await self.superuser.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
        for statement in statements:
            await self.superuser.execute(statement)
        for table, name in GUARDS:
            await self.superuser.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")

    async def forge(self, first: int, *, head: bool = True) -> None:
        """Make the hashes anew from entry `first` on, and the head with them."""
        before = START
        if first > 1:
            before = await self.superuser.value("SELECT hash FROM audit_log WHERE chain_seq = $1", first - 1)
        statements: list[str] = []
        for row in await self.superuser.rows(WORDS, first):
            before = hashlib.sha256(before + row["words"]).digest()
            statements.append(f"UPDATE audit_log SET hash = '\\x{before.hex()}' WHERE id = '{row['id']}'")
        if head:
            statements.append(
                "UPDATE audit_head SET (seq, hash) ="
                " (SELECT chain_seq, hash FROM audit_log ORDER BY chain_seq DESC NULLS LAST LIMIT 1)"
            )
        await self.tamper(*statements)

    async def head(self) -> Head:
        return (await self.check()).head

    async def check(self, *anchors: Anchor, on_progress: Callable[[int, int], None] | None = None) -> checking.Checked:
        """As the service's role sees it; raises `Broken`."""
        return await checking.check(self.urls.app, anchors, on_progress or (lambda done, total: None))

    async def broken_by(self, *anchors: Anchor) -> str:
        """What the check says of a log that is broken."""
        with pytest.raises(Broken) as broken:
            await self.check(*anchors)
        return str(broken.value)


@asynccontextmanager
async def audit_log(server: EmbeddedUrls, template: str) -> AsyncGenerator[Log]:
    """A new, empty one."""
    name = f"audit_{uuid4().hex[:12]}"
    urls = EmbeddedUrls(*(f"{url.rsplit('/', 1)[0]}/{name}" for url in (server.app, server.migrator, server.superuser)))
    admin = await asyncpg.connect(server.superuser)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        async with Sql.connect(urls.app) as app, Sql.connect(urls.superuser) as superuser:
            yield Log(urls, app, superuser)
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()
