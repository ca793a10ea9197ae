"""Hashes made here and hashes brought along."""

import bcrypt
import httpx

from memi.auth.passwords import PasswordHasher
from memi.platform.runtime import Runtime
from support.people import PASSWORD, People
from support.sql import Sql


def imported(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4)).decode()


async def test_new_ones_are_argon2id(runtime: Runtime) -> None:
    hasher = runtime.adapters.get(PasswordHasher)
    stored = await hasher.hash(PASSWORD)
    assert stored.startswith("$argon2id$")
    assert await hasher.verify(PASSWORD, stored) == (True, None)
    assert await hasher.verify("another", stored) == (False, None)


async def test_a_bcrypt_hash_is_replaced_at_the_next_login(client: httpx.AsyncClient, people: People, sql: Sql) -> None:
    person = await people.new()
    await sql.execute("UPDATE users SET password_hash = $1 WHERE id = $2", imported("an older secret"), person.id)
    wrong = await client.post("/api/v1/auth/login", json={"email": person.email, "password": "another secret"})
    assert wrong.status_code == 401
    for _ in range(2):
        right = await client.post("/api/v1/auth/login", json={"email": person.email, "password": "an older secret"})
        assert right.status_code == 200
        stored = await sql.value("SELECT password_hash FROM users WHERE id = $1", person.id)
        assert stored.startswith("$argon2id$")


async def test_more_than_bcrypt_reads_never_matches_it(runtime: Runtime) -> None:
    hasher = runtime.adapters.get(PasswordHasher)
    assert await hasher.verify("x" * 72, imported("x" * 72)) != (False, None)
    assert await hasher.verify("x" * 73, imported("x" * 72)) == (False, None)


async def test_what_is_no_hash_matches_nothing(runtime: Runtime) -> None:
    assert await runtime.adapters.get(PasswordHasher).verify(PASSWORD, "plain") == (False, None)
