"""Access tokens as an attacker makes them: with keys of their own, and of everything else that looks like one."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm

from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.browsers import signed_in_browser
from support.factors import enrol, first_factor
from support.mail import Mailbox
from support.people import People, Person
from support.sql import Sql

RunJobs = Callable[[], Awaitable[None]]


class KeyServer:
    """Serves the attacker's keys and remembers whether anybody asked."""

    def __init__(self, document: bytes) -> None:
        self.asked = 0
        self._document = document

    async def answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(self._document)}\r\n\r\n"
        writer.write(head.encode() + self._document)
        await writer.drain()
        writer.close()


KEY = generate_private_key(SECP256R1())
JWK: dict[str, Any] = {**json.loads(ECAlgorithm.to_jwk(KEY.public_key())), "kid": "mine", "alg": "ES256", "use": "sig"}


@pytest.fixture
async def keys() -> AsyncIterator[tuple[KeyServer, str]]:
    served = KeyServer(json.dumps({"keys": [JWK]}).encode())
    async with await asyncio.start_server(served.answer, "127.0.0.1", 0) as server:
        yield served, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks.json"


def claims(person: Person, **changes: Any) -> dict[str, Any]:
    """What a good token of the person says."""
    said = jwt.decode(person.access_token, options={"verify_signature": False})
    return {**said, **changes}


async def call(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})


class TestKeysOfTheToken:
    @pytest.mark.parametrize("kid", ["mine", "ours", None])
    @pytest.mark.parametrize("named", ["jwk", "jku", "x5u", "x5c"])
    async def test_a_key_that_the_token_names_is_neither_used_nor_fetched(
        self, client: httpx.AsyncClient, people: People, keys: tuple[KeyServer, str], named: str, kid: str | None
    ) -> None:
        person, (server, url) = await people.new(), keys
        ours = jwt.get_unverified_header(person.access_token)["kid"]
        der = base64.b64encode(b"a certificate").decode()
        headers: dict[str, Any] = {
            "typ": "at+jwt",
            named: {"jwk": JWK, "x5c": [der]}.get(named, url),
            **({} if kid is None else {"kid": ours if kid == "ours" else kid}),
        }
        forged = jwt.encode(claims(person, roles=["USER", "ADMIN"]), KEY, "ES256", headers=headers)
        reply = await call(client, forged)
        assert (reply.status_code, reply.json()["code"]) == (401, "invalid_token")
        assert server.asked == 0
        assert (await call(client, person.access_token)).status_code == 200

    async def test_a_key_id_is_looked_up_and_never_opened_as_a_path(
        self, client: httpx.AsyncClient, people: People
    ) -> None:
        person = await people.new()
        for kid in ("../../../../dev/null", "/dev/null", "' OR 1=1 --", "", "0"):
            forged = jwt.encode(claims(person), b"\0" * 32, "HS256", headers={"typ": "at+jwt", "kid": kid})
            assert (await call(client, forged)).json()["code"] == "invalid_token"


class TestPurpose:
    async def test_nothing_else_that_one_was_given_is_an_access_token(
        self, client: httpx.AsyncClient, people: People, run_jobs: RunJobs, settings: Settings, sql: Sql
    ) -> None:
        person = await people.new()
        await run_jobs()
        mailed = Mailbox(settings, person.email).token()
        cursor = (await person.get("/auth/sessions?limit=1")).json()["next_cursor"] or "bm90IG9uZQ"
        csrf = (await person.get("/auth/csrf")).json()["csrf_token"]
        await enrol(person, sql)
        half_way = await first_factor(client, person)
        for token in (person.refresh_token, mailed, cursor, csrf, half_way):
            reply = await call(client, token)
            assert (reply.status_code, reply.json()["code"]) == (401, "invalid_token")

    @pytest.mark.parametrize(
        "changes",
        [
            {"typ": "JWT"},
            {"typ": "id_token"},
            {"typ": "logout+jwt"},
            {"typ": None},
            {"aud": "memi-tests"},
            {"aud": ["memi-admin"]},
        ],
        ids=str,
    )
    async def test_a_token_of_another_type_or_for_another_service_by_the_right_key(
        self, client: httpx.AsyncClient, people: People, runtime: Runtime, changes: dict[str, Any]
    ) -> None:
        person = await people.new()
        headers = {"kid": runtime.key_ring.active, "typ": changes.get("typ", "at+jwt")}
        key = runtime.key_ring.signing_key("access-token")
        said = claims(person, **{name: value for name, value in changes.items() if name == "aud"})
        assert (await call(client, jwt.encode(said, key, "HS256", headers=headers))).json()["code"] == "invalid_token"
        right = jwt.encode(claims(person, jti="another"), key, "HS256", headers={**headers, "typ": "at+jwt"})
        assert (await call(client, right)).status_code == 200

    async def test_a_token_of_the_future_or_the_past_by_the_right_key(
        self, client: httpx.AsyncClient, people: People, runtime: Runtime
    ) -> None:
        person, now = await people.new(), datetime.now(UTC)
        headers = {"kid": runtime.key_ring.active, "typ": "at+jwt"}
        key = runtime.key_ring.signing_key("access-token")
        for changes in (
            {"exp": now - timedelta(seconds=1)},
            {"nbf": now + timedelta(minutes=5)},
            {"iat": now + timedelta(minutes=5)},
        ):
            forged = jwt.encode(claims(person, **changes), key, "HS256", headers=headers)
            assert (await call(client, forged)).json()["code"] == "invalid_token"

    async def test_an_access_token_is_good_for_nothing_else(
        self, client: httpx.AsyncClient, people: People, sql: Sql
    ) -> None:
        person = await people.new()
        for path, body in (
            ("/auth/refresh", {"refresh_token": person.access_token}),
            ("/auth/mfa/verify", {"mfa_token": person.access_token[:200], "code": "123456"}),
            ("/auth/email/verify", {"token": person.access_token}),
            ("/auth/password/reset", {"token": person.access_token, "password": "an entirely new passphrase"}),
            ("/auth/oauth/exchange", {"code": person.access_token[:200], "code_verifier": "v" * 43}),
        ):
            reply = await client.post(f"/api/v1{path}", json=body)
            assert reply.status_code in (400, 401, 422), f"{path} {reply.text}"
        assert await sql.value("SELECT email_verified_at FROM users WHERE id = $1", person.id) is None
        assert await sql.value("SELECT count(*) FROM auth_sessions WHERE user_id = $1", person.id) == 1

    async def test_a_token_names_its_session_and_nobody_else_s(
        self, client: httpx.AsyncClient, people: People, runtime: Runtime
    ) -> None:
        """Even with the key, a person and a session that do not belong together are nobody."""
        person, other = await people.new(), await people.new()
        forged = jwt.encode(
            claims(person, sid=claims(other)["sid"]),
            runtime.key_ring.signing_key("access-token"),
            "HS256",
            headers={"kid": runtime.key_ring.active, "typ": "at+jwt"},
        )
        assert (await call(client, forged)).json()["code"] == "invalid_token"

    async def test_roles_that_a_token_claims_are_not_those_that_count(
        self, client: httpx.AsyncClient, people: People, runtime: Runtime
    ) -> None:
        person = await people.new()
        forged = jwt.encode(
            claims(person, roles=["USER", "ADMIN"]),
            runtime.key_ring.signing_key("access-token"),
            "HS256",
            headers={"kid": runtime.key_ring.active, "typ": "at+jwt"},
        )
        reply = await client.get("/api/v1/admin/users", headers={"Authorization": f"Bearer {forged}"})
        assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")


async def test_a_browser_is_given_no_token_that_a_script_could_read(client: httpx.AsyncClient) -> None:
    """No reply of a whole visit holds the value of a cookie that scripts cannot read."""
    async with signed_in_browser(client) as browser:
        bodies = [json.dumps(browser.user)]
        for method, path in (
            ("POST", "/auth/refresh"),
            ("POST", "/auth/step-up"),
            ("GET", "/users/me"),
            ("GET", "/auth/sessions"),
        ):
            body = {"password": "a long enough passphrase"} if path == "/auth/step-up" else None
            reply = await browser.request(method, path, json=body)
            assert reply.status_code == 200, reply.text
            browser.csrf = reply.json().get("csrf_token", browser.csrf)
            bodies.append(reply.text)
            for name in ("memi_access", "memi_refresh"):
                assert browser.client.cookies[name] not in " ".join(bodies)
