"""Authenticator apps for tests, whose clock is the database's, as the service's is."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx
from pyotp.totp import TOTP

from memi.auth.totp import STEP_SECONDS
from support.people import PASSWORD, Person
from support.sql import Sql

_SETTLED = 20
"""A test that begins this far into a time step waits for the next one, so that none ends under its feet."""


@dataclass
class App:
    """An authenticator app with the secret of one person."""

    secret: str
    user_id: str
    sql: Sql

    async def code(self, steps: int = 0) -> str:
        """What it shows, or showed or will show so many time steps away."""
        seconds = float(await self.sql.value("SELECT extract(epoch FROM clock_timestamp())"))
        if seconds % STEP_SECONDS > _SETTLED:
            await asyncio.sleep(STEP_SECONDS - seconds % STEP_SECONDS + 0.1)
            seconds += STEP_SECONDS
        return TOTP(self.secret).generate_otp(int(seconds) // STEP_SECONDS + steps)

    async def later(self) -> None:
        """Time passes, so that the present code was not used yet."""
        await self.sql.execute("UPDATE totp_factors SET last_step = last_step - 10 WHERE user_id = $1", self.user_id)

    async def fresh_code(self) -> str:
        """A code that was not used yet."""
        await self.later()
        return await self.code()

    async def wrong_code(self) -> str:
        """A code of no time step near."""
        near = {await self.code(steps) for steps in range(-3, 4)}
        return next(
            code
            for code in ("000000", "111111", "222222", "333333", *map(str, range(400000, 400009)))
            if code not in near
        )


async def begin(person: Person, sql: Sql) -> App:
    """An app that is not confirmed yet."""
    reply = await person.post("/auth/mfa/totp/enrol")
    assert reply.status_code == 200, reply.text
    return App(reply.json()["secret"], person.id, sql)


async def enrol(person: Person, sql: Sql) -> tuple[App, list[str]]:
    """(the person's app, confirmed, whose present code is unused; their recovery codes)."""
    app = await begin(person, sql)
    reply = await person.post("/auth/mfa/totp/confirm", {"code": await app.code()})
    assert reply.status_code == 200, reply.text
    await app.later()
    return app, reply.json()["recovery_codes"]


async def first_factor(client: httpx.AsyncClient, person: Person, **more: Any) -> str:
    """Sign in as far as the password goes; the token that the second factor finishes with."""
    reply = await client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD, **more})
    assert reply.status_code == 200, reply.text
    assert reply.json()["mfa_required"] is True
    return reply.json()["mfa_token"]


async def verify(client: httpx.AsyncClient, mfa_token: str, code: str) -> httpx.Response:
    return await client.post("/api/v1/auth/mfa/verify", json={"mfa_token": mfa_token, "code": code})


def take(person: Person, reply: httpx.Response) -> None:
    """Have the person go on with the tokens of a reply."""
    assert reply.status_code == 200, reply.text
    person.access_token, person.refresh_token = reply.json()["access_token"], reply.json()["refresh_token"]


async def sign_in(client: httpx.AsyncClient, person: Person, app: App) -> None:
    """A new session of the person, by both factors."""
    token = await first_factor(client, person)
    take(person, await verify(client, token, await app.fresh_code()))


async def grow_old(sql: Sql, person: Person) -> None:
    """The person's last proof of who they are was long ago."""
    await sql.execute(
        "UPDATE auth_sessions SET authenticated_at = now() - interval '1 day' WHERE user_id = $1", person.id
    )


async def mails(sql: Sql, person: Person) -> list[str]:
    """Kinds of the mails that wait to be sent to the person, but for those of signing up, oldest first."""
    rows = await sql.rows("SELECT payload FROM pgqueuer WHERE entrypoint = 'auth.jobs.send_account_mail' ORDER BY id")
    kinds = [(item["user_id"], item["kind"]) for item in (json.loads(row["payload"]) for row in rows)]
    return [kind for user_id, kind in kinds if user_id == person.id and kind not in ("VERIFY_EMAIL", "NEW_SIGN_IN")]
