"""Passwords, where ASVS asks for something that no rule of the product would tell."""

from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from memi.auth.password_rules import judge
from support.documents import section
from support.people import PASSWORD, People
from support.sql import Sql


async def register(client: httpx.AsyncClient, password: str) -> httpx.Response:
    body = {"email": f"{uuid4().hex}@example.com", "password": password, "name": "Leyla"}
    return await client.post("/api/v1/auth/register", json=body)


@pytest.mark.parametrize("length", [64, 128, 1000])
async def test_long_ones_are_taken_and_no_part_of_them_is_enough(client: httpx.AsyncClient, length: int) -> None:
    password = ("twelve quiet harbours under winter rain, " * 30)[:length]
    made = await register(client, password)
    assert made.status_code == 201, made.text
    email = made.json()["user"]["email"]
    for tried, status in ((password[:-1], 401), (password.upper(), 401), (f"{password} ", 401), (password, 200)):
        reply = await client.post("/api/v1/auth/login", json={"email": email, "password": tried})
        assert reply.status_code == status


async def test_less_than_eight_characters_are_never_enough(client: httpx.AsyncClient, sql: Sql) -> None:
    before = await sql.value("SELECT count(*) FROM users")
    for password in ("", "a", "zX9#kQ!", "🌊🌋🌌🌍🌎🌏🌐"):
        assert (await register(client, password)).status_code == 422
    assert await sql.value("SELECT count(*) FROM users") == before


async def test_one_stays_good_for_years(client: httpx.AsyncClient, people: People, sql: Sql) -> None:
    person = await people.new()
    await sql.execute("UPDATE users SET created_at = now() - interval '9 years' WHERE id = $1", person.id)
    reply = await client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
    assert reply.status_code == 200
    assert set(reply.json()) == {"access_token", "token_type", "expires_in", "refresh_token", "user"}


async def test_who_holds_a_session_alone_cannot_change_it(client: httpx.AsyncClient, people: People, sql: Sql) -> None:
    person = await people.new()
    for body in (
        {"password": "an entirely new passphrase"},
        {"current_password": "", "password": "another passphrase"},
    ):
        assert (await person.post("/auth/password/change", body)).status_code in (403, 422)
    patched = await person.patch("/users/me", {"password": "an entirely new passphrase"})
    assert patched.status_code == 422
    assert await sql.value("SELECT epoch FROM users WHERE id = $1", person.id) == 0
    reply = await client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
    assert reply.status_code == 200


def test_the_words_that_are_documented_make_no_password(repository: Path) -> None:
    text = section(repository / "docs" / "security" / "README.md", "Words that make no password")
    words = [word for line in text.splitlines() if line.startswith("    ") for word in line.split()]
    assert "memi" in words
    assert len(words) > 3
    for word in words:
        for password in (f"{word}2024".ljust(10, "1"), f"{word}123".ljust(10, "!"), f"{word}{word}".ljust(10, "1")):
            assert judge(password).refusal is not None, password
