"""What the page on security tells operators about keys, and what happens when one is gone."""

import re
from pathlib import Path

import httpx

from memi.platform.keyring import KeyRing
from memi.platform.runtime import Runtime
from support.documents import section
from support.factors import enrol, first_factor, take, verify
from support.people import People
from support.sql import Sql


async def test_it_tells_how_many_apps_still_need_a_key(
    people: People, runtime: Runtime, sql: Sql, repository: Path
) -> None:
    text = section(repository / "docs" / "security" / "README.md", "Keys")
    found = re.search(r"```sql\n(.+?)```", text, re.DOTALL)
    assert found is not None
    statement = found[1].replace("<key id>", "{}")
    for _ in range(2):
        await enrol(await people.new(), sql)
    assert await sql.value(statement.format(runtime.key_ring.active)) == 2
    assert await sql.value(statement.format("another")) == 0


async def test_an_app_whose_key_is_gone_lets_nobody_in_and_a_recovery_code_leads_to_a_new_one(
    people: People, client: httpx.AsyncClient, sql: Sql
) -> None:
    person = await people.new()
    app, codes = await enrol(person, sql)
    lost = KeyRing({"lost": b"l" * 32}).seal("totp", app.secret.encode())
    await sql.execute("UPDATE totp_factors SET secret = $1 WHERE user_id = $2", lost, person.id)
    token = await first_factor(client, person)
    reply = await verify(client, token, await app.code())
    assert (reply.status_code, reply.json()["code"]) == (500, "internal_error")
    take(person, await verify(client, token, codes[0]))
    assert (await person.delete("/auth/mfa/totp", json={"code": codes[1]})).status_code == 204
    new, _ = await enrol(person, sql)
    take(person, await verify(client, await first_factor(client, person), await new.code()))
