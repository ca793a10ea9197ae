"""Acting in somebody's place: who may begin, what the token says and does, and who hears of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.errors import InvalidToken
from memi.platform.permissions import Role
from memi.platform.principal import AccessTokens, Principal
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.usage.recorder import Recorder
from support.factors import grow_old
from support.impersonating import REASON, act, acting, audited, factored
from support.items import make_listing
from support.people import People, Person
from support.server import ApiProcess, api_processes
from support.sockets import raw_socket
from support.sql import Sql
from support.talks import Talks
from support.talks import talks as talks

BODY = {"reason": REASON}


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


async def nothing_happened(sql: Sql, person: Person) -> bool:
    begun = await sql.value("SELECT count(*) FROM impersonations WHERE user_id = $1", UUID(person.id))
    return begun == 0 and await sql.value("SELECT count(*) FROM audit_log WHERE target_id = $1", person.id) == 0


class TestBeginning:
    async def test_only_administrators(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        person, stranger, moderator = await people.new(), await people.new(), await people.moderator()
        path = f"/admin/users/{person.id}/impersonate"
        assert (await client.post(f"/api/v1{path}", json=BODY)).status_code == 401
        for other in (stranger, person, moderator):
            assert (await other.post(path, BODY)).json()["code"] == "permission_denied"
        assert await nothing_happened(sql, person)

    async def test_only_with_a_second_factor_shown_lately(self, people: People, sql: Sql) -> None:
        person, plain = await people.new(), await people.admin()
        path = f"/admin/users/{person.id}/impersonate"
        reply = await plain.post(path, BODY)
        assert (reply.status_code, reply.json()["code"]) == (403, "mfa_enrolment_required")
        admin, _ = await factored(people, sql)
        await grow_old(sql, admin)
        reply = await admin.post(path, BODY)
        assert (reply.status_code, reply.json()["code"]) == (403, "step_up_required")
        assert await nothing_happened(sql, person)

    async def test_gives_one_short_token_that_names_both(self, people: People, sql: Sql) -> None:
        acts = await acting(people, sql)
        said = claims(acts.them.access_token)
        assert (said["sub"], said["act"], said["sid"]) == (acts.person.id, {"sub": acts.admin.id}, acts.id)
        assert (said["exp"] - said["iat"], "scope" in said, said["roles"]) == (900, False, ["USER"])
        assert set(acts.reply) == {"access_token", "token_type", "expires_in", "banner"}
        banner = acts.reply["banner"]
        assert (banner["user_id"], banner["user_name"]) == (acts.person.id, "Leyla")
        assert (banner["impersonated_by"], banner["reason"]) == (acts.admin.id, REASON)
        assert acts.reply["expires_in"] == 900
        assert (await acts.them.get("/users/me")).json()["impersonated_by"] == acts.admin.id
        assert (await acts.person.get("/users/me")).json()["impersonated_by"] is None
        stored = "SELECT count(*) FROM refresh_tokens t JOIN auth_sessions s ON s.id = t.session_id WHERE s.id = $1"
        assert await sql.value(stored, UUID(acts.id)) == 0

    async def test_is_written_down_with_the_reason(self, people: People, sql: Sql) -> None:
        acts = await acting(people, sql)
        (entry,) = await audited(sql, acts.id)
        assert (entry["action"], entry["actor"], entry["impersonator"]) == ("impersonation.begin", acts.admin.id, None)
        assert (entry["target_id"], entry["reason"]) == (acts.person.id, REASON)

    async def test_nobody_acts_in_the_place_of_who_must_not_be(self, people: People, sql: Sql) -> None:
        admin, _ = await factored(people, sql)
        blocked, gone, inspector = await people.new(), await people.new(), await people.new(role=Role.CHAT_INSPECTOR)
        assert (await admin.post(f"/admin/users/{blocked.id}/block", BODY)).status_code == 200
        assert (await admin.delete(f"/admin/users/{gone.id}", json=BODY)).status_code == 200
        before = await sql.value("SELECT count(*) FROM audit_log")
        for who, status, code in (
            (admin.id, 409, "cannot_impersonate_self"),
            ((await people.moderator()).id, 409, "cannot_impersonate_staff"),
            ((await people.admin()).id, 409, "cannot_impersonate_staff"),
            (inspector.id, 409, "cannot_impersonate_staff"),
            (blocked.id, 409, "cannot_impersonate_blocked"),
            (gone.id, 404, "not_found"),
            (str(uuid4()), 404, "not_found"),
        ):
            reply = await admin.post(f"/admin/users/{who}/impersonate", BODY)
            assert (reply.status_code, reply.json()["code"]) == (status, code)
        assert await sql.value("SELECT count(*) FROM impersonations WHERE admin_id = $1", UUID(admin.id)) == 0
        assert await sql.value("SELECT count(*) FROM audit_log") == before

    @pytest.mark.parametrize("body", [{}, {"reason": "x"}, {"reason": "fine", "more": 1}, {**BODY, "chats": "perhaps"}])
    async def test_a_reason_is_needed(self, people: People, sql: Sql, body: dict[str, object]) -> None:
        admin, _ = await factored(people, sql)
        person = await people.new()
        assert (await admin.post(f"/admin/users/{person.id}/impersonate", body)).status_code == 422
        assert await nothing_happened(sql, person)

    async def test_its_reply_is_never_stored(self, people: People, sql: Sql) -> None:
        admin, _ = await factored(people, sql)
        path, headers = f"/admin/users/{(await people.new()).id}/impersonate", {"Idempotency-Key": uuid4().hex}
        replies = [await admin.post(path, BODY, headers=headers) for _ in range(2)]
        assert [reply.status_code for reply in replies] == [201, 201]
        assert replies[0].json()["access_token"] != replies[1].json()["access_token"]
        assert await sql.value("SELECT count(*) FROM idempotency_keys WHERE user_id = $1", UUID(admin.id)) == 0


class TestTokens:
    """Only what was issued as such counts as acting in somebody's place."""

    @pytest.mark.parametrize(
        "act", [{}, {"sub": "me"}, {"sub": str(uuid4()), "act": {"sub": str(uuid4())}}, "x", 1, None]
    )
    async def test_nobody_acts_through_another(self, runtime: Runtime, act: object) -> None:
        ring, now = runtime.key_ring, datetime.now(UTC)
        tokens = runtime.adapters.get(AccessTokens)
        principal = Principal(uuid4(), uuid4(), frozenset(), now + timedelta(minutes=5), impersonator_id=uuid4())
        good = tokens.issue_to_impersonator(principal, now)
        assert tokens.read(good).impersonator_id == principal.impersonator_id
        key = ring.signing_key("access-token")
        bad = jwt.encode({**claims(good), "act": act}, key, "HS256", headers={"kid": ring.active, "typ": "at+jwt"})
        with pytest.raises(InvalidToken):
            tokens.read(bad)

    async def test_a_token_that_leaves_out_who_acts_opens_nothing(
        self, people: People, sql: Sql, runtime: Runtime
    ) -> None:
        """Nor does one that names somebody else: the row must fit."""
        acts = await acting(people, sql)
        tokens, now = runtime.adapters.get(AccessTokens), datetime.now(UTC)
        plain, _ = tokens.issue(UUID(acts.person.id), UUID(acts.id), frozenset({Role.USER}), now)
        other = Principal(
            UUID(acts.person.id), UUID(acts.id), frozenset(), now + timedelta(minutes=5), impersonator_id=uuid4()
        )
        for token in (plain, tokens.issue_to_impersonator(other, now)):
            acts.them.access_token = token
            assert (await acts.them.get("/users/me")).status_code == 401


class TestDoing:
    async def test_a_harmless_write_is_theirs_and_is_written_down(self, people: People, sql: Sql) -> None:
        acts, item = await acting(people, sql), await make_listing(await people.new("Murad"), sql)
        path = f"/listings/{item['id']}/favorite"
        assert (await acts.them.put(path)).status_code == 204
        liked = (await acts.person.get("/users/me/favorites")).json()["items"]
        assert len(liked) == 1
        began, wrote = await audited(sql, acts.id)
        assert began["action"] == "impersonation.begin"
        assert (wrote["action"], wrote["actor"], wrote["impersonator"]) == (
            "impersonation.write",
            acts.person.id,
            acts.admin.id,
        )
        assert f"/api/v1{path}" in wrote["after"]
        (found,) = (await acts.admin.get(f"/admin/audit?impersonator={acts.admin.id}")).json()["items"]
        assert (found["action"], found["actor_id"]) == ("impersonation.write", acts.person.id)

    async def test_what_fails_is_not_written_down(self, people: People, sql: Sql) -> None:
        acts = await acting(people, sql)
        assert (await acts.them.put(f"/listings/{uuid4()}/favorite")).status_code == 404
        assert [entry["action"] for entry in await audited(sql, acts.id)] == ["impersonation.begin"]

    async def test_it_leaves_no_trace_of_the_person(self, people: People, sql: Sql) -> None:
        acts = await acting(people, sql)
        seen = "SELECT last_seen_at FROM users WHERE id = $1"
        await sql.execute(
            "UPDATE users SET last_seen_at = now() - interval '3 days' WHERE id = $1", UUID(acts.person.id)
        )
        before = await sql.value(seen, UUID(acts.person.id))
        for path in ("/users/me", "/notifications", "/listings"):
            assert (await acts.them.get(path)).status_code == 200
        assert await sql.value(seen, UUID(acts.person.id)) == before
        assert len((await acts.person.get("/auth/sessions")).json()["items"]) == 1

    async def test_looking_around_is_no_use_of_the_person(self, people: People, sql: Sql, runtime: Runtime) -> None:
        acts, item = await acting(people, sql), await make_listing(await people.new("Murad"), sql)
        recorder = runtime.adapters.get(Recorder)
        counted = "SELECT count(*) FROM usage_events"
        before = await sql.value(counted)
        for path in (f"/listings/{item['id']}", "/listings?q=coat"):
            assert (await acts.them.get(path)).status_code == 200
        await recorder.flush()
        assert await sql.value(counted) == before
        assert (await acts.person.get(f"/listings/{item['id']}")).status_code == 200
        await recorder.flush()
        assert await sql.value(counted) == before + 1

    async def test_staff_stay_out_of_reach(self, people: People, sql: Sql) -> None:
        acts = await acting(people, sql)
        for path in ("/admin/users", "/admin/audit", "/admin/impersonations"):
            assert (await acts.them.get(path)).json()["code"] == "not_while_impersonating"
        further = await acts.them.post(f"/admin/users/{(await people.new()).id}/impersonate", BODY)
        assert (further.status_code, further.json()["code"]) == (403, "not_while_impersonating")

    async def test_its_socket_is_refused(self, people: People, sql: Sql, api: ApiProcess) -> None:
        acts = await acting(people, sql)
        async with raw_socket(api.socket_url, additional_headers=acts.them.headers) as connection:
            assert "not_while_impersonating" in str(await asyncio.wait_for(connection.recv(), 5))
            await asyncio.wait_for(connection.wait_closed(), 5)
            assert connection.close_code == 4401


class TestChats:
    async def test_need_a_permission_that_administrators_lack(self, people: People, sql: Sql, talks: Talks) -> None:
        talk, (admin, _) = await talks.new(), await factored(people, sql)
        reply = await admin.post(f"/admin/users/{talk.buyer.id}/impersonate", {**BODY, "chats": True})
        assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")
        assert await nothing_happened(sql, talk.buyer)
        acts = await act(admin, talk.buyer)
        for path in ("/chats", f"/chats/{talk.id}", f"/chats/{talk.id}/messages"):
            assert (await acts.them.get(path)).json()["code"] == "not_while_impersonating"

    async def test_are_not_open_to_who_did_not_ask(self, people: People, sql: Sql, talks: Talks) -> None:
        talk, (admin, _) = await talks.new(), await factored(people, sql, Role.CHAT_INSPECTOR)
        acts = await act(admin, talk.buyer)
        assert (await acts.them.get("/chats")).json()["code"] == "not_while_impersonating"

    async def test_are_read_and_nothing_else_and_each_look_is_written_down(
        self, people: People, sql: Sql, talks: Talks
    ) -> None:
        talk, (admin, _) = await talks.new(), await factored(people, sql, Role.CHAT_INSPECTOR)
        acts = await act(admin, talk.seller, chats=True)
        assert claims(acts.them.access_token)["scope"] == "chats:read"
        unread = (await talk.seen_by(talk.seller))["unread_count"]
        assert unread == 1
        said = (await acts.them.get(f"/chats/{talk.id}/messages")).json()["items"]
        assert said[0]["body"] == "Is it still there?"
        for refused in (
            await acts.them.post(f"/chats/{talk.id}/messages", {"body": "Yes"}),
            await acts.them.post(f"/chats/{talk.id}/read", {"seq": 1}),
            await acts.them.put(f"/chats/{talk.id}/block"),
        ):
            assert refused.json()["code"] == "not_while_impersonating"
        assert (await talk.seen_by(talk.seller))["unread_count"] == unread
        entries = await audited(sql, acts.id)
        assert [entry["action"] for entry in entries] == ["impersonation.begin", "impersonation.look"]
        assert "Is it still there?" not in str(entries)
        await sql.execute("UPDATE users SET roles = '{USER,ADMIN}' WHERE id = $1", UUID(admin.id))
        assert (await acts.them.get("/chats")).json()["code"] == "not_while_impersonating"
        assert (await acts.them.get("/users/me")).status_code == 200


class TestTelling:
    async def test_the_person_hears_when_and_not_by_whom(
        self, people: People, sql: Sql, run_jobs: Callable[[], Awaitable[None]]
    ) -> None:
        acts = await acting(people, sql)
        await run_jobs()
        (told,) = (await acts.person.get("/notifications")).json()["items"]
        assert (told["type"], told["event"]) == ("GENERIC", "account.impersonated")
        assert set(told["data"]) == {"at", "until"}
        assert acts.admin.id not in str(told)

    async def test_staff_see_who_acts_and_why(self, people: People, client: httpx.AsyncClient, sql: Sql) -> None:
        admin, _ = await factored(people, sql)
        begun = [await act(admin, await people.new()) for _ in range(3)]
        assert (await admin.delete(f"/admin/impersonations/{begun[0].id}")).status_code == 204
        assert (await client.get("/api/v1/admin/impersonations")).status_code == 401
        assert (await (await people.moderator()).get("/admin/impersonations")).json()["code"] == "permission_denied"
        path = f"/admin/impersonations?admin={admin.id}"
        first = (await admin.get(f"{path}&limit=2")).json()
        rest = (await admin.get(f"{path}&limit=2&cursor={first['next_cursor']}")).json()
        found = first["items"] + rest["items"]
        assert [item["id"] for item in found] == [acts.id for acts in begun[::-1]]
        assert [item["active"] for item in found] == [True, True, False]
        assert (found[2]["ended_because"], found[2]["reason"]) == ("ended_by_staff", REASON)
        assert rest["next_cursor"] is None
        active = (await admin.get(f"{path}&active=true&page=1&total=true")).json()
        assert ([item["id"] for item in active["items"]], active["total"]) == ([acts.id for acts in begun[:0:-1]], 2)
        of_one = (await admin.get(f"/admin/impersonations?user={begun[1].person.id}")).json()["items"]
        assert [item["id"] for item in of_one] == [begun[1].id]
        assert (await admin.get(f"{path}&who=x")).status_code == 422


@pytest.fixture(scope="module")
async def api(database_urls: EmbeddedUrls, settings: Settings, runtime: Runtime) -> AsyncIterator[ApiProcess]:
    """After `runtime`, which makes the key ring that both share."""
    async with api_processes(database_urls, settings, 1) as started:
        yield started[0]
