"""Nobody learns from the outside whether an address has an account, but by registering it."""

import json
import re
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from itertools import count
from typing import Any
from uuid import uuid4

import httpx
import pytest

from memi.app import openapi_document
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.users import deletion
from memi.users import service as users
from support.documents import fields
from support.factors import enrol
from support.people import People, Person
from support.sql import Sql

Make = Callable[[str], Awaitable[str]]
BODIES: dict[str, Callable[[str], dict[str, Any]]] = {
    "/api/v1/auth/login": lambda email: {"email": email, "password": "one guess of many"},
    "/api/v1/auth/password/forgot": lambda email: {"email": email},
    "/api/v1/auth/password/strength": lambda email: {"email": email, "password": "one guess of many"},
}
"""Every public call that takes an address, but for `REGISTER`. Adding a line here is a decision."""
REGISTER = "/api/v1/auth/register"
KINDS = ("signed up", "verified", "with a second factor", "without a password", "blocked", "deleted")
CALLS = 4
CLIENTS = count(1)


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    """With limits, whose headers could tell too, and a proxy, so that each address is asked for by another client."""
    return settings.model_copy(update={"rate_limits": True, "trusted_proxies": (ip_network("127.0.0.1/32"),)})


def test_these_are_all_the_public_calls_that_take_an_address() -> None:
    document = json.loads(openapi_document())
    found = {
        path
        for path, item in document["paths"].items()
        for operation in item.values()
        if {} in operation.get("security", [{}])
        and (
            any("mail" in name for name in fields(document, operation.get("requestBody")))
            or any("mail" in parameter["name"] for parameter in operation.get("parameters", []))
        )
    }
    assert found == {*BODIES, REGISTER}


@pytest.fixture
async def address(people: People, runtime: Runtime, sql: Sql) -> Make:
    """An address of a kind."""

    async def make(kind: str) -> str:
        person = await people.new()
        if kind == "verified":
            await sql.execute("UPDATE users SET email_verified_at = now() WHERE id = $1", person.id)
        elif kind == "with a second factor":
            await enrol(person, sql)
        elif kind == "without a password":
            await sql.execute("UPDATE users SET password_hash = NULL WHERE id = $1", person.id)
        elif kind in ("blocked", "deleted"):
            await _end(runtime, person, kind)
        return person.email

    return make


async def _end(runtime: Runtime, person: Person, how: str) -> None:
    async with runtime.unit_of_work() as session:
        user = await users.find_by_email(session, person.email)
        assert user is not None
        if how == "blocked":
            await users.block(session, user.id)
        else:
            await deletion.delete(session, user.id)


def what_is_told(reply: httpx.Response) -> tuple[int, object, dict[str, str]]:
    """All of a reply but what differs for the same address too: its own id, and the seconds of a window."""
    body: dict[str, Any] = reply.json() if reply.content else {}
    body.pop("request_id", None)
    headers = {name: re.sub(r"\bt=\d+", "t=", value) for name, value in reply.headers.items()}
    assert headers.pop("x-request-id")
    return reply.status_code, body, headers


async def ask(client: httpx.AsyncClient, path: str, email: str) -> list[tuple[int, object, dict[str, str]]]:
    """The same call a few times, from an address of its own."""
    sent = {"X-Forwarded-For": f"198.51.100.{next(CLIENTS)}"}
    return [what_is_told(await client.post(path, json=BODIES[path](email), headers=sent)) for _ in range(CALLS)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", BODIES)
async def test_a_known_address_is_answered_as_an_unknown_one(
    client: httpx.AsyncClient, address: Make, path: str, kind: str
) -> None:
    # Both are as long, since a guess is judged with the address in mind.
    known = await address(kind)
    unknown = f"aysel.{uuid4().hex[:10]}@example.com"
    told = await ask(client, path, known)
    assert told == await ask(client, path, unknown)
    assert {status for status, _, _ in told} <= {200, 202, 401}
    assert all("ratelimit" in headers for _, _, headers in told)


async def test_asking_for_more_mails_than_one_gets_is_answered_the_same(
    client: httpx.AsyncClient, people: People
) -> None:
    known, unknown = (await people.new()).email, f"{uuid4().hex}@example.com"
    path = "/api/v1/auth/password/forgot"
    for _ in range(3):
        assert await ask(client, path, known) == await ask(client, path, unknown)


async def test_whoever_changes_theirs_does_not_learn_it_either(people: People, sql: Sql) -> None:
    caller, other = await people.new(), await people.new()
    replies = [
        await caller.post(
            "/auth/email/change",
            {"email": email, "password": "a long enough passphrase"},
            headers={"X-Forwarded-For": f"198.51.100.{next(CLIENTS)}"},
        )
        for email in (other.email, f"{uuid4().hex}@example.com")
    ]
    told = [what_is_told(reply) for reply in replies]
    for _, _, headers in told:
        headers["ratelimit"] = re.sub(r"\br=\d+", "r=", headers["ratelimit"])  # the caller's own count goes on
    assert told[0] == told[1]
    assert told[0][0] == 202
    assert await sql.value("SELECT email FROM users WHERE id = $1", caller.id) == caller.email


async def test_registering_alone_says_so_and_is_limited(client: httpx.AsyncClient, people: People, sql: Sql) -> None:
    """The decision and its reason are in docs/security."""
    taken = (await people.new()).email
    body = {"email": taken, "password": "a long enough passphrase", "name": "Leyla"}
    sent = {"X-Forwarded-For": f"198.51.100.{next(CLIENTS)}"}
    replies = [await client.post(REGISTER, json=body, headers=sent) for _ in range(31)]
    assert {(reply.status_code, reply.json()["code"]) for reply in replies[:30]} == {(409, "email_taken")}
    assert replies[30].json()["code"] == "rate_limited"
    assert await sql.value("SELECT count(*) FROM users WHERE email = $1", taken) == 1
