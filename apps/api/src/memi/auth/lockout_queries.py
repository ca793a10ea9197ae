"""Statements of the lock-out. All but the last two are transactions of their own; the database's clock decides."""

from datetime import timedelta

from sqlalchemy import delete, func
from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth.models import AuthFailures

WAIT = """
SELECT ceil(extract(epoch FROM locked_until - clock_timestamp()))::int AS seconds
FROM auth_failures WHERE subject = $1 AND locked_until > clock_timestamp()
"""
"""Seconds until the subject's next attempt is looked at; no row when that is now."""

FAILED = """
INSERT INTO auth_failures AS f (subject, failures, last_at, locked_until) VALUES ($1, 1, clock_timestamp(), NULL)
ON CONFLICT (subject) DO UPDATE SET (failures, last_at, locked_until) = (
    SELECT n, clock_timestamp(),
           CASE WHEN n >= $2::int
                THEN clock_timestamp() + make_interval(secs => least($3::float8, power(2, least(n - $2::int, 30)))) END
    FROM (SELECT CASE WHEN f.last_at < clock_timestamp() - $4::interval THEN 1 ELSE f.failures + 1 END AS n) AS counted
)
RETURNING failures
"""
"""Count one more failure: $2 is the first that has to wait, 1 second, doubled with each to $3; forgotten after $4."""


async def forget(session: AsyncSession, subject: bytes) -> None:
    await session.execute(delete(AuthFailures).where(AuthFailures.subject == subject))


async def prune(session: AsyncSession, older_than: timedelta) -> None:
    await session.execute(delete(AuthFailures).where(AuthFailures.last_at < func.now() - older_than))
