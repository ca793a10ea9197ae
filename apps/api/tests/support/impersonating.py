"""Staff who act in somebody's place, as they come to do so."""

from dataclasses import dataclass
from typing import Any

from memi.platform.permissions import Role
from support.factors import App, enrol
from support.people import People, Person
from support.sql import Sql

REASON = "Ticket 4711: sees no favourites"


@dataclass
class Acting:
    """`them` calls with the token of who acts in their place."""

    id: str
    admin: Person
    person: Person
    them: Person
    reply: dict[str, Any]


async def factored(people: People, sql: Sql, *more: Role) -> tuple[Person, App]:
    """An administrator who has shown a second factor just now, with further roles."""
    admin = await people.admin()
    app, _ = await enrol(admin, sql)
    for role in more:
        await sql.execute("UPDATE users SET roles = roles || $2::text WHERE id = $1", admin.id, str(role))
    return admin, app


async def act(admin: Person, person: Person, **more: Any) -> Acting:
    reply = await admin.post(f"/admin/users/{person.id}/impersonate", {"reason": REASON, **more})
    assert reply.status_code == 201, reply.text
    began = reply.json()
    them = Person(admin.client, person.id, person.email, began["access_token"], "")
    return Acting(began["banner"]["impersonation_id"], admin, person, them, began)


async def acting(people: People, sql: Sql) -> Acting:
    """An administrator in somebody's place."""
    admin, _ = await factored(people, sql)
    return await act(admin, await people.new("Leyla"))


async def audited(sql: Sql, impersonation: str) -> list[dict[str, Any]]:
    """What the audit log says of an impersonation, in the order in which it was committed."""
    return await sql.rows(
        "SELECT action, actor_id::text AS actor, impersonator_id::text AS impersonator, target_id, reason, after"
        " FROM audit_log WHERE after::jsonb->>'impersonation_id' = $1 ORDER BY chain_seq",
        impersonation,
    )
