"""Signed-in accounts in numbers, without a password hashed for each."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx

from memi.platform.ids import new_id
from memi.platform.permissions import Role
from memi.platform.principal import AccessTokens
from memi.platform.runtime import Runtime
from support.people import Person
from support.sql import Sql

_USERS = """
INSERT INTO users (id, email, name, email_verified_at)
SELECT id, id || '@example.com', $2, now() FROM unnest($1::uuid[]) AS id
"""
_SESSIONS = """
INSERT INTO auth_sessions (id, user_id, epoch, expires_at)
SELECT s.id, s.user_id, u.epoch, now() + interval '1 day'
FROM unnest($1::uuid[], $2::uuid[]) AS s (id, user_id) JOIN users u ON u.id = s.user_id
"""


async def accounts(number: int, client: httpx.AsyncClient, tokens: AccessTokens, sql: Sql) -> list[Person]:
    """New accounts with a session each; `tokens` must be those of the processes that are called."""
    ids = [new_id() for _ in range(number)]
    await sql.execute(_USERS, ids, "Leyla")
    made = [Person(client, str(user_id), f"{user_id}@example.com", "", uuid4().hex) for user_id in ids]
    await sign_in(made, tokens, sql)
    return made


async def sign_in(people: Sequence[Person], tokens: AccessTokens, sql: Sql) -> None:
    """Give people a session as their account stands now."""
    sessions = [new_id() for _ in people]
    await sql.execute(_SESSIONS, sessions, [UUID(person.id) for person in people])
    for person, session_id in zip(people, sessions, strict=True):
        roles = frozenset({Role.USER})
        person.access_token, _ = tokens.issue(UUID(person.id), session_id, roles, datetime.now(UTC))


def tokens_of(runtime: Runtime) -> AccessTokens:
    return runtime.adapters.get(AccessTokens)
