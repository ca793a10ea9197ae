"""What is kept of people here: their sign-ins and by what they can sign in. Never a secret or the hash of one."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth import personal_queries as queries
from memi.platform.personal_data import Batch, Kind, PersonalData

_PAGE = 500


async def _sessions(session: AsyncSession, user_id: UUID, after: UUID | None) -> Batch:
    rows = await queries.sessions_of(session, user_id, after, _PAGE)
    records = [
        {
            "id": row.id,
            "device": row.user_agent,
            "ip": row.ip,
            "transport": row.transport,
            "second_factor": row.mfa_at is not None,
            "created_at": row.created_at,
            "last_seen_at": row.last_seen_at,
            "expires_at": row.expires_at,
            "ended_at": row.revoked_at,
            "ended_because": row.revoked_because,
        }
        for row in rows
    ]
    return Batch(records, rows[-1].id if len(rows) == _PAGE else None)


async def _identities(session: AsyncSession, user_id: UUID, _after: Any) -> Batch:
    names = ("provider", "subject", "email", "created_at")
    rows = await queries.identities_of(session, user_id)
    return Batch([{name: getattr(row, name) for name in names} for row in rows])


async def _second_factor(session: AsyncSession, user_id: UUID, _after: Any) -> Batch:
    since, codes = await queries.second_factor_of(session, user_id)
    return Batch([{"authenticator_app_since": since, "recovery_codes_left": codes}])


PERSONAL_DATA = PersonalData(
    feature="auth",
    kinds=(
        Kind("sessions", "Where and when you signed in.", _sessions),
        Kind("identities", "Accounts at other providers that sign you in.", _identities),
        Kind(
            "second_factor", "Whether a second factor is set up; its secrets are not given out.", _second_factor, True
        ),
    ),
    erase=queries.erase,
    erased=frozenset(
        {
            "auth_sessions.user_id",
            "mail_tokens.user_id",
            "mfa_challenges.user_id",
            "oauth_results.user_id",
            "recovery_codes.user_id",
            "totp_factors.user_id",
            "external_identities.user_id",
        }
    ),
    kept={
        "impersonations.user_id": "that staff acted in an account's place is accountable, and goes after 90 days",
        "impersonations.admin_id": "who of staff acted in an account's place is accountable, and goes after 90 days",
    },
)
