"""What ends acting in somebody's place, at once, and how that is written down."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import httpx
import pytest

from memi.auth import impersonation_jobs
from memi.auth.impersonation import AuditedImpersonation
from memi.platform.errors import InvalidToken
from memi.platform.principal import AccessTokens
from memi.platform.runtime import Runtime
from support.factors import enrol
from support.impersonating import Acting, acting, audited
from support.items import make_listing
from support.people import People
from support.sql import Sql

Way = Callable[[Acting, People, Sql, Runtime], Awaitable[None]]
BODY = {"reason": "Because it must end"}


async def signing_out(acts: Acting, people: People, sql: Sql, runtime: Runtime) -> None:
    body = {"refresh_token": acts.admin.refresh_token}
    assert (await acts.admin.post("/auth/logout", body)).status_code == 204


async def a_fresh_proof(acts: Acting, people: People, sql: Sql, runtime: Runtime) -> None:
    """Puts another session in the place of the one that it hangs on."""
    await sql.execute("DELETE FROM totp_factors WHERE user_id = $1", UUID(acts.admin.id))
    reply = await acts.admin.post("/auth/step-up", {"password": "a long enough passphrase"})
    assert reply.status_code == 200, reply.text


async def losing_the_role(acts: Acting, people: People, sql: Sql, runtime: Runtime) -> None:
    await sql.execute("UPDATE users SET roles = '{USER,MODERATOR}' WHERE id = $1", UUID(acts.admin.id))


async def losing_the_factor(acts: Acting, people: People, sql: Sql, runtime: Runtime) -> None:
    await sql.execute("UPDATE auth_sessions SET mfa_at = NULL WHERE user_id = $1", UUID(acts.admin.id))


async def a_block_of_staff(acts: Acting, people: People, sql: Sql, runtime: Runtime) -> None:
    other = await people.admin()
    assert (await other.post(f"/admin/users/{acts.admin.id}/block", BODY)).status_code == 200


async def staff_who_are_deleted(acts: Acting, people: People, sql: Sql, runtime: Runtime) -> None:
    other = await people.admin()
    assert (await other.delete(f"/admin/users/{acts.admin.id}", json=BODY)).status_code == 200


async def the_person_signing_out_everywhere(acts: Acting, people: People, sql: Sql, runtime: Runtime) -> None:
    assert (await acts.person.post("/auth/logout-all")).status_code == 204


async def the_person_being_blocked(acts: Acting, people: People, sql: Sql, runtime: Runtime) -> None:
    other = await people.admin()
    assert (await other.post(f"/admin/users/{acts.person.id}/block", BODY)).status_code == 200


async def the_person_being_deleted(acts: Acting, people: People, sql: Sql, runtime: Runtime) -> None:
    assert (await acts.person.delete("/users/me")).status_code < 300


async def the_person_becoming_staff(acts: Acting, people: People, sql: Sql, runtime: Runtime) -> None:
    await sql.execute("UPDATE users SET roles = '{USER,MODERATOR}' WHERE id = $1", UUID(acts.person.id))


async def time(acts: Acting, people: People, sql: Sql, runtime: Runtime) -> None:
    await sql.execute(
        "UPDATE impersonations SET created_at = now() - interval '16 minutes', expires_at = now() - interval '1 minute'"
        " WHERE id = $1",
        UUID(acts.id),
    )


WAYS: dict[Way, str] = {
    signing_out: "staff_signed_out",
    a_fresh_proof: "staff_signed_out",
    losing_the_role: "permission_lost",
    losing_the_factor: "staff_signed_out",
    a_block_of_staff: "staff_signed_out",
    staff_who_are_deleted: "staff_signed_out",
    the_person_signing_out_everywhere: "account_changed",
    the_person_being_blocked: "account_changed",
    the_person_being_deleted: "account_changed",
    the_person_becoming_staff: "account_changed",
    time: "expired",
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_ends_it_at_once(way: Way, people: People, sql: Sql, runtime: Runtime) -> None:
    acts, item = await acting(people, sql), await make_listing(await people.new("Murad"), sql)
    assert (await acts.them.get("/users/me")).status_code == 200
    await way(acts, people, sql, runtime)
    for reply in (await acts.them.get("/users/me"), await acts.them.put(f"/listings/{item['id']}/favorite")):
        assert (reply.status_code, reply.json()["code"]) == (401, "invalid_token")
    assert await sql.value("SELECT count(*) FROM favorites WHERE user_id = $1", UUID(acts.person.id)) == 0
    for _ in range(2):
        await impersonation_jobs.end_impersonations.run(runtime)
    began, ended = await audited(sql, acts.id)
    assert (began["action"], ended["action"], ended["actor"]) == ("impersonation.begin", "impersonation.end", None)
    assert f'"because": "{WAYS[way]}"' in ended["after"]
    row = (await sql.rows("SELECT ended_at, ended_because FROM impersonations WHERE id = $1", UUID(acts.id)))[0]
    assert (row["ended_at"] is not None, row["ended_because"]) == (True, WAYS[way])


async def test_staff_end_it_whoever_began_it(people: People, client: httpx.AsyncClient, sql: Sql) -> None:
    acts, other = await acting(people, sql), await people.admin()
    path = f"/admin/impersonations/{acts.id}"
    assert (await client.delete(f"/api/v1{path}")).status_code == 401
    for stranger in (acts.person, await people.moderator()):
        assert (await stranger.delete(path)).json()["code"] == "permission_denied"
    assert (await acts.them.get("/users/me")).status_code == 200
    assert (await other.delete(path)).status_code == 204
    assert (await acts.them.get("/users/me")).status_code == 401
    assert (await other.delete(path)).status_code == 404
    assert (await other.delete(f"/admin/impersonations/{uuid4()}")).status_code == 404
    _, ended = await audited(sql, acts.id)
    assert (ended["action"], ended["actor"]) == ("impersonation.end", other.id)


async def test_one_that_stands_is_left_alone(people: People, sql: Sql, runtime: Runtime) -> None:
    acts = await acting(people, sql)
    await impersonation_jobs.end_impersonations.run(runtime)
    assert (await acts.them.get("/users/me")).status_code == 200
    assert len(await audited(sql, acts.id)) == 1


async def test_a_refresh_of_the_staff_session_keeps_it(people: People, client: httpx.AsyncClient, sql: Sql) -> None:
    acts = await acting(people, sql)
    body = {"refresh_token": acts.admin.refresh_token}
    assert (await client.post("/api/v1/auth/refresh", json=body)).status_code == 200
    assert (await acts.them.get("/users/me")).status_code == 200


async def test_nothing_is_done_in_their_place_once_its_end_was_answered(people: People, sql: Sql) -> None:
    acts, seller = await acting(people, sql), await people.new("Murad")
    items = [(await make_listing(seller, sql))["id"] for _ in range(6)]
    calls = [acts.them.put(f"/listings/{item}/favorite") for item in items * 4]
    ending = acts.admin.delete(f"/admin/impersonations/{acts.id}")
    replies = await asyncio.gather(*calls[:12], ending, *calls[12:])
    assert replies[12].status_code == 204
    assert {reply.status_code for reply in replies} <= {204, 401}
    actions = [entry["action"] for entry in await audited(sql, acts.id)]
    assert actions.index("impersonation.end") == len(actions) - 1


async def test_its_end_waits_for_what_is_under_way(people: People, sql: Sql, runtime: Runtime) -> None:
    acts, book = await acting(people, sql), AuditedImpersonation()
    principal = runtime.adapters.get(AccessTokens).read(acts.them.access_token)
    async with runtime.unit_of_work() as session:
        await book.note(session, principal, "PUT", "/somewhere")
        ending = asyncio.create_task(acts.admin.delete(f"/admin/impersonations/{acts.id}"))
        async with asyncio.timeout(5):
            while not await sql.value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
        assert not ending.done()
    assert (await ending).status_code == 204
    with pytest.raises(InvalidToken):
        async with runtime.unit_of_work() as session:
            await book.note(session, principal, "PUT", "/somewhere")
    assert [entry["action"] for entry in await audited(sql, acts.id)] == [
        "impersonation.begin",
        "impersonation.write",
        "impersonation.end",
    ]


async def test_old_ones_are_forgotten_and_the_audit_log_keeps_them(people: People, sql: Sql, runtime: Runtime) -> None:
    old, young = await acting(people, sql), await acting(people, sql)
    for acts, days in ((old, 91), (young, 89)):
        assert (await acts.admin.delete(f"/admin/impersonations/{acts.id}")).status_code == 204
        await sql.execute(
            "UPDATE impersonations SET ended_at = now() - make_interval(days => $2) WHERE id = $1", UUID(acts.id), days
        )
    await impersonation_jobs.forget_impersonations.run(runtime)
    kept = await sql.rows("SELECT id FROM impersonations WHERE id = ANY ($1)", [UUID(old.id), UUID(young.id)])
    assert [str(row["id"]) for row in kept] == [young.id]
    assert len(await audited(sql, old.id)) == 2


async def test_a_second_factor_shown_elsewhere_is_not_enough(
    people: People, sql: Sql, client: httpx.AsyncClient
) -> None:
    """The session that asks must have shown it, not another one of the account."""
    admin, person = await people.admin(), await people.new()
    elsewhere = admin.access_token
    login = {"email": admin.email, "password": "a long enough passphrase"}
    admin.access_token = (await client.post("/api/v1/auth/login", json=login)).json()["access_token"]
    await enrol(admin, sql)
    admin.access_token = elsewhere
    reply = await admin.post(f"/admin/users/{person.id}/impersonate", BODY)
    assert reply.status_code in (401, 403), "enrolling may have ended the others"
    assert await sql.value("SELECT count(*) FROM impersonations WHERE user_id = $1", UUID(person.id)) == 0
