"""Staff where a second factor is required: until they have shown one they can get one, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from memi.app import create_litestar
from memi.platform.dependencies import ENROLMENT, asks_for_caller
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.permissions import Role
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.users import service as users
from memi.wiring import already_open
from support.factors import begin, enrol, first_factor, grow_old, sign_in, take, verify
from support.items import make_listing
from support.people import PASSWORD, People, Person
from support.server import ApiProcess, api_processes
from support.service import environment, free_port, memi
from support.sockets import open_socket, raw_socket
from support.sql import Sql

OPEN = {
    ("GET", "/api/v1/users/me"),
    ("GET", "/api/v1/auth/mfa"),
    ("POST", "/api/v1/auth/mfa/totp/enrol"),
    ("POST", "/api/v1/auth/mfa/totp/confirm"),
    ("POST", "/api/v1/auth/step-up"),
    ("GET", "/api/v1/auth/sessions"),
    ("DELETE", "/api/v1/auth/sessions/{session_id}"),
    ("POST", "/api/v1/auth/logout-all"),
}
"""All that a caller who may only enrol can do. Adding a line here is a decision."""


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"require_staff_mfa": True})


@pytest.fixture(scope="module")
async def api(database_urls: EmbeddedUrls, settings: Settings, runtime: Runtime) -> AsyncIterator[ApiProcess]:
    """After `runtime`, which makes the key ring that both share."""
    async with api_processes(database_urls, settings, 1, require_staff_mfa="true") as started:
        yield started[0]


def routes(app: Litestar) -> list[tuple[str, str, Any]]:
    return [
        (method, route.path_format, handler)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != "OPTIONS" and asks_for_caller(handler)
    ]


def filled(path: str) -> str:
    parts = ("018f0000-0000-7000-8000-000000000000" if part.startswith("{") else part for part in path.split("/"))
    return "/".join(parts)


async def appoint(runtime: Runtime, person: Person, role: Role = Role.MODERATOR) -> None:
    async with runtime.unit_of_work() as session:
        await users.grant_role(session, UUID(person.id), role)


def roles_in(person: Person) -> set[str]:
    return set(jwt.decode(person.access_token, options={"verify_signature": False})["roles"])


class TestWithoutOne:
    async def test_only_what_leads_to_one_is_open(self, people: People, settings: Settings, runtime: Runtime) -> None:
        moderator = await people.moderator()
        app = create_litestar(settings, lambda: already_open(runtime))
        closed = [(method, path) for method, path, handler in routes(app) if not handler.opt.get(ENROLMENT)]
        assert {(method, path) for method, path, handler in routes(app) if handler.opt.get(ENROLMENT)} == OPEN
        assert len(closed) > 60
        for method, path in closed:
            reply = await moderator.client.request(method, filled(path), headers=moderator.headers)
            assert (reply.status_code, reply.json()["code"]) == (403, "mfa_enrolment_required"), f"{method} {path}"

    async def test_it_is_told_so_and_may_leave(self, people: People) -> None:
        moderator = await people.moderator()
        assert (await moderator.get("/auth/mfa")).json()["enrolment_required"] is True
        assert (await moderator.get("/users/me")).json()["roles"] == ["MODERATOR", "USER"]
        assert len((await moderator.get("/auth/sessions")).json()["items"]) == 2
        assert (await moderator.post("/auth/logout-all")).status_code == 204

    async def test_nothing_is_done_by_trying(self, people: People, sql: Sql) -> None:
        moderator, seller = await people.admin(), await people.new()
        listing = await make_listing(seller, sql)
        reason = {"reason": "Counterfeit, says the brand"}
        for path in (f"/admin/listings/{listing['id']}/remove", f"/admin/users/{seller.id}/block"):
            assert (await moderator.post(path, reason)).json()["code"] == "mfa_enrolment_required"
        assert await sql.value("SELECT status FROM listings WHERE id = $1", listing["id"]) == "ACTIVE"
        assert await sql.value("SELECT is_blocked FROM users WHERE id = $1", seller.id) is False
        assert await sql.value("SELECT count(*) FROM audit_log WHERE actor_id = $1", moderator.id) == 0

    async def test_public_reads_show_it_what_anybody_sees(self, people: People, sql: Sql) -> None:
        moderator, seller = await people.moderator(), await people.new()
        draft, shown = await make_listing(seller, sql, publish=False), await make_listing(seller, sql)
        assert roles_in(moderator) == {"USER"}
        assert (await moderator.get(f"/listings/{shown['id']}")).status_code == 200
        assert (await moderator.get(f"/listings/{draft['id']}")).status_code == 404

    async def test_its_socket_is_refused(self, people: People, api: ApiProcess) -> None:
        moderator, plain = await people.moderator(), await people.new()
        async with raw_socket(api.socket_url, additional_headers=moderator.headers) as connection:
            refusal = await asyncio.wait_for(connection.recv(), 5)
            assert "mfa_enrolment_required" in str(refusal)
            await asyncio.wait_for(connection.wait_closed(), 5)
            assert connection.close_code == 4401
        async with open_socket(api.socket_url, plain):
            pass

    async def test_people_who_are_no_staff_need_none(self, people: People) -> None:
        person = await people.new()
        assert (await person.get("/notifications")).status_code == 200
        assert (await person.get("/auth/mfa")).json()["enrolment_required"] is False


class TestBecomingStaff:
    async def test_acts_on_live_sessions_at_once(self, people: People, runtime: Runtime) -> None:
        person = await people.new()
        assert (await person.get("/notifications")).status_code == 200
        await appoint(runtime, person)
        assert (await person.get("/notifications")).json()["code"] == "mfa_enrolment_required"

    async def test_closes_live_sockets(self, people: People, runtime: Runtime, api: ApiProcess) -> None:
        person = await people.new()
        async with open_socket(api.socket_url, person) as socket:
            await socket.ack("ping")
            await appoint(runtime, person)
            assert await socket.close_code(2) == 4401

    async def test_changes_nothing_for_who_has_shown_a_factor(
        self, people: People, client: httpx.AsyncClient, runtime: Runtime, sql: Sql
    ) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        await sign_in(client, person, app)
        await appoint(runtime, person)
        assert (await person.get("/admin/listings")).status_code == 200


class TestGettingOne:
    async def test_makes_the_session_whole(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        moderator = await people.moderator()
        assert (await moderator.get("/admin/listings")).status_code == 403
        app, _ = await enrol(moderator, sql)
        assert (await moderator.get("/admin/listings")).status_code == 200
        assert (await moderator.get("/auth/mfa")).json()["enrolment_required"] is False
        take(moderator, await client.post("/api/v1/auth/refresh", json={"refresh_token": moderator.refresh_token}))
        assert roles_in(moderator) == {"USER", "MODERATOR"}
        await sign_in(client, moderator, app)
        assert roles_in(moderator) == {"USER", "MODERATOR"}
        assert (await moderator.get("/admin/listings")).status_code == 200

    async def test_a_beginning_is_not_enough(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        moderator = await people.moderator()
        app = await begin(moderator, sql)
        reply = await moderator.post("/auth/mfa/totp/confirm", {"code": await app.wrong_code()})
        assert reply.status_code == 403
        login = await client.post("/api/v1/auth/login", json={"email": moderator.email, "password": PASSWORD})
        moderator.access_token = login.json()["access_token"]
        assert (await moderator.get("/admin/listings")).json()["code"] == "mfa_enrolment_required"

    async def test_a_session_that_never_showed_it_can_by_a_step_up(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        moderator = await people.moderator()
        app, _ = await enrol(moderator, sql)
        await sql.execute("UPDATE auth_sessions SET mfa_at = NULL WHERE user_id = $1", moderator.id)
        assert (await moderator.get("/admin/listings")).json()["code"] == "mfa_enrolment_required"
        assert (await moderator.post("/auth/mfa/totp/enrol")).json()["code"] == "mfa_already_enrolled"
        refused = await moderator.post("/auth/step-up", {"password": PASSWORD})
        assert refused.json()["code"] == "second_factor_needed"
        take(moderator, await moderator.post("/auth/step-up", {"code": await app.code()}))
        assert (await moderator.get("/admin/listings")).status_code == 200

    async def test_is_audited(self, people: People, sql: Sql) -> None:
        moderator, plain = await people.moderator(), await people.new()
        for person in (moderator, plain):
            await enrol(person, sql)
            assert (await person.post("/auth/mfa/recovery-codes")).status_code == 200
        rows = await sql.rows(
            "SELECT action, target_id FROM audit_log WHERE actor_id = ANY($1::uuid[]) ORDER BY at, id",
            [moderator.id, plain.id],
        )
        assert [(row["action"], row["target_id"]) for row in rows] == [
            ("mfa.enrol", moderator.id),
            ("mfa.renew_recovery_codes", moderator.id),
        ]


class TestKeepingIt:
    async def test_staff_cannot_remove_theirs(self, people: People, sql: Sql) -> None:
        moderator = await people.moderator()
        app, codes = await enrol(moderator, sql)
        for code in (await app.fresh_code(), codes[0]):
            reply = await moderator.delete("/auth/mfa/totp", json={"code": code})
            assert (reply.status_code, reply.json()["code"]) == (403, "mfa_required_for_staff")
        assert (await moderator.get("/auth/mfa")).json() == {
            "totp": True,
            "recovery_codes_left": 10,
            "enrolment_required": False,
        }

    async def test_others_can(self, people: People, sql: Sql) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        assert (await person.delete("/auth/mfa/totp", json={"code": await app.fresh_code()})).status_code == 204

    async def test_one_that_was_removed_before_they_became_staff_counts_no_more(
        self, people: People, client: httpx.AsyncClient, runtime: Runtime, sql: Sql
    ) -> None:
        person = await people.new()
        app, _ = await enrol(person, sql)
        await sign_in(client, person, app)
        assert (await person.delete("/auth/mfa/totp", json={"code": await app.fresh_code()})).status_code == 204
        await appoint(runtime, person)
        assert (await person.get("/admin/listings")).json()["code"] == "mfa_enrolment_required"

    async def test_dangerous_deeds_ask_for_a_code_anew(
        self, people: People, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        moderator, target = await people.moderator(), await people.new()
        app, _ = await enrol(moderator, sql)
        await grow_old(sql, moderator)
        path, reason = f"/admin/users/{target.id}/block", {"reason": "Sold the same coat three times"}
        assert (await moderator.post(path, reason)).json()["code"] == "step_up_required"
        assert (await moderator.post("/auth/step-up", {"password": PASSWORD})).status_code == 403
        assert await sql.value("SELECT is_blocked FROM users WHERE id = $1", target.id) is False
        take(moderator, await moderator.post("/auth/step-up", {"code": await app.code()}))
        assert (await moderator.post(path, reason)).status_code == 200


async def test_after_a_reset_only_enrolment_is_open_again(people: People, client: httpx.AsyncClient, sql: Sql) -> None:
    admin, moderator = await people.admin(), await people.moderator()
    await enrol(admin, sql)
    app, _ = await enrol(moderator, sql)
    reply = await admin.delete(f"/admin/users/{moderator.id}/mfa", json={"reason": "Phone lost, seen in person"})
    assert reply.status_code == 204
    login = await client.post("/api/v1/auth/login", json={"email": moderator.email, "password": PASSWORD})
    moderator.access_token = login.json()["access_token"]
    assert (await moderator.get("/admin/listings")).json()["code"] == "mfa_enrolment_required"
    new, _ = await enrol(moderator, sql)
    assert new.secret != app.secret
    assert (await moderator.get("/admin/listings")).status_code == 200
    token = await first_factor(client, moderator)
    assert (await verify(client, token, await app.code())).json()["code"] == "wrong_code"


async def test_createadmin_says_what_the_account_must_do_first(
    client: httpx.AsyncClient, database_urls: EmbeddedUrls, tmp_path: Path
) -> None:
    env = environment(
        tmp_path,
        free_port(),
        MEMI_DATABASE_URL=database_urls.app,
        MEMI_MIGRATOR_DATABASE_URL=database_urls.migrator,
        MEMI_REQUIRE_STAFF_MFA="true",
    )
    password = "a long password of the first admin"
    made = await asyncio.to_thread(
        memi, "createadmin", "first@memi.example", "--password-stdin", env=env, cwd=tmp_path, text=f"{password}\n"
    )
    assert made.returncode == 0, made.stderr
    first, second = made.stdout.splitlines()
    assert first == "first@memi.example was made and is ADMIN."
    assert "second factor" in second
    login = await client.post("/api/v1/auth/login", json={"email": "first@memi.example", "password": password})
    headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
    assert (await client.get("/api/v1/admin/users", headers=headers)).json()["code"] == "mfa_enrolment_required"
    assert (await client.post("/api/v1/auth/mfa/totp/enrol", headers=headers)).status_code == 200
