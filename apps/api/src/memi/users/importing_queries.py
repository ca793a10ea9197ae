"""The statement that takes in accounts of another system, many at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.ids import new_id


class NewAccount(NamedTuple):
    """`email` in lower case, `city` a code as the catalogue writes it."""

    email: str
    password_hash: str
    name: str
    city: str | None
    locale: str
    phone: str | None
    is_verified: bool
    created_at: datetime | None


_INSERT = text(
    """
    INSERT INTO users (id, email, password_hash, name, city, locale, phone, email_verified_at, created_at)
    SELECT id, email, password_hash, name, city, locale, phone, CASE WHEN is_verified THEN now() END,
        coalesce(created_at, now())
    FROM unnest(CAST(:ids AS uuid[]), CAST(:emails AS text[]), CAST(:hashes AS text[]), CAST(:names AS text[]),
        CAST(:cities AS text[]), CAST(:locales AS text[]), CAST(:phones AS text[]), CAST(:verified AS boolean[]),
        CAST(:times AS timestamptz[]))
        AS t(id, email, password_hash, name, city, locale, phone, is_verified, created_at)
    ORDER BY email
    ON CONFLICT (email) DO NOTHING
    RETURNING email
    """
)


async def insert_new(session: AsyncSession, accounts: Sequence[NewAccount]) -> set[str]:
    """Add those whose address is free, in one order so that two imports never wait for each other; their addresses."""
    columns = list(zip(*accounts, strict=True))
    names = ("emails", "hashes", "names", "cities", "locales", "phones", "verified", "times")
    values = {name: list(column) for name, column in zip(names, columns, strict=True)}
    rows = await session.execute(_INSERT, {"ids": [new_id() for _ in accounts], **values})
    return set(rows.scalars())
