"""`memi import-users`: who comes in with which hash, and what becomes of every other line."""

import asyncio
import io
import json
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from uuid import uuid4

import bcrypt
import httpx
import pytest
from argon2 import PasswordHasher as Argon2
from argon2 import Type

from memi.auth.importing import MAX_LINE, Refusal, read_line
from memi.cli.import_users import lines
from memi.platform.embedded_postgres import EmbeddedUrls
from support.people import People
from support.service import environment, free_port, memi
from support.sql import Sql

PASSWORD = "what they always used"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
Import = Callable[..., Awaitable[CompletedProcess[str]]]


@pytest.fixture
def run(tmp_path: Path, database_urls: EmbeddedUrls) -> Import:
    """Import these lines (objects, or bytes as they are); options come after the file."""
    urls = {"MEMI_DATABASE_URL": database_urls.app, "MEMI_MIGRATOR_DATABASE_URL": database_urls.migrator}
    env = environment(tmp_path, free_port(), **urls)

    async def run(*given: dict[str, Any] | bytes, options: tuple[str, ...] = (), raw: bytes | None = None) -> Any:
        parts = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in given]
        (tmp_path / "users.jsonl").write_bytes(b"\n".join(parts) + b"\n" if raw is None else raw)
        # On a thread, because the application that signs them in is served by this loop.
        return await asyncio.to_thread(memi, "import-users", "users.jsonl", *options, env=env, cwd=tmp_path)

    return run


def address() -> str:
    return f"imported.{uuid4().hex[:12]}@example.com"


def line(**changes: Any) -> dict[str, Any]:
    return {"email": address(), "password_hash": HASH, "name": "Aysel", **changes}


def report(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in (tmp_path / "users.jsonl.refused.jsonl").read_text().splitlines()]


async def stored_hash(sql: Sql, email: str) -> str:
    return await sql.value("SELECT password_hash FROM users WHERE email = $1", email)


async def sign_in(client: httpx.AsyncClient, email: str, password: str = PASSWORD) -> int:
    reply = await client.post("/api/v1/auth/login", json={"email": email, "password": password})
    return reply.status_code


def bcrypt_hash(prefix: str, cost: int = 4) -> str:
    """bcrypt itself writes $2a$ and $2b$; $2y$ is what PHP calls the same."""
    made = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(cost, prefix=b"2b")).decode()
    return made.replace("$2b$", f"${prefix}$")


class TestSigningIn:
    async def test_a_bcrypt_hash_signs_in_and_becomes_argon2id(
        self, run: Import, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        given = [line(password_hash=bcrypt_hash(prefix)) for prefix in ("2a", "2b", "2y")]
        done = await run(*given)
        assert done.returncode == 0, done.stderr
        for item in given:
            assert await stored_hash(sql, item["email"]) == item["password_hash"]
            assert await sign_in(client, item["email"], "another password") == 401
            assert await stored_hash(sql, item["email"]) == item["password_hash"]
            assert await sign_in(client, item["email"]) == 200
            upgraded = await stored_hash(sql, item["email"])
            assert upgraded.startswith("$argon2id$")
            assert await sign_in(client, item["email"]) == 200
            assert await stored_hash(sql, item["email"]) == upgraded

    async def test_an_argon2_hash_signs_in_and_gets_the_strength_of_here(
        self, run: Import, client: httpx.AsyncClient, sql: Sql
    ) -> None:
        weak = [
            Argon2(time_cost=1, memory_cost=64, parallelism=1, type=kind).hash(PASSWORD)
            for kind in (Type.ID, Type.I, Type.D)
        ]
        given = [line(password_hash=text) for text in weak]
        assert (await run(*given)).returncode == 0
        for item in given:
            assert await sign_in(client, item["email"]) == 200
            assert (await stored_hash(sql, item["email"])).startswith("$argon2id$v=19$m=19456,")


class TestStored:
    async def test_every_field_is_taken_over(self, run: Import, sql: Sql) -> None:
        given = line(
            email=address().upper(),
            city="baku",
            locale="ru",
            phone="+994501112233",
            email_verified=True,
            created_at="2019-05-04T03:02:01+04:00",
            external_id="4711",
        )
        assert (await run(given)).returncode == 0
        row = (await sql.rows("SELECT * FROM users WHERE email = $1", given["email"].lower()))[0]
        assert (row["name"], row["city"], row["locale"], row["phone"]) == ("Aysel", "BAKU", "ru", "+994501112233")
        assert row["email_verified_at"] is not None
        assert row["created_at"].isoformat() == "2019-05-03T23:02:01+00:00"
        assert (row["roles"], row["is_blocked"], row["epoch"]) == (["USER"], False, 0)

    async def test_what_is_left_out_is_as_for_who_registers(self, run: Import, sql: Sql) -> None:
        given = line()
        assert (await run(given)).returncode == 0
        row = (await sql.rows("SELECT * FROM users WHERE email = $1", given["email"]))[0]
        assert (row["locale"], row["city"], row["email_verified_at"]) == ("az", None, None)

    async def test_nobody_becomes_staff_by_a_file(self, run: Import, sql: Sql, tmp_path: Path) -> None:
        given = line(roles=["ADMIN"])
        assert (await run(given)).returncode == 3
        assert await sql.value("SELECT count(*) FROM users WHERE email = $1", given["email"]) == 0
        assert report(tmp_path)[0]["errors"][0]["code"] == "unknown_field"

    async def test_byte_order_mark_line_ends_of_windows_blank_lines_and_no_last_end(
        self, run: Import, sql: Sql
    ) -> None:
        one, two = line(), line()
        raw = b"\xef\xbb\xbf" + json.dumps(one).encode() + b"\r\n\r\n  \n" + json.dumps(two).encode()
        done = await run(raw=raw)
        assert (done.returncode, done.stdout) == (0, "2 lines: 2 accounts were imported, 0 lines were refused.\n")
        assert await sql.value("SELECT count(*) FROM users WHERE email IN ($1, $2)", one["email"], two["email"]) == 2


class TestRefused:
    @pytest.mark.parametrize(
        ("wrong", "pointer", "code"),
        [
            ({"email": "nobody"}, "/email", None),
            ({"email": "Me <me@example.com>"}, "/email", "bad_format"),
            ({"email": f"{'a' * 250}@example.com"}, "/email", None),
            ({"name": ""}, "/name", "too_short"),
            ({"name": "\0"}, "/name", "bad_format"),
            ({"name": "x" * 81}, "/name", "too_long"),
            ({"locale": "de"}, "/locale", "unknown_value"),
            ({"phone": "0501234567"}, "/phone", "bad_format"),
            ({"email_verified": "yes"}, "/email_verified", "wrong_type"),
            ({"created_at": "2999-01-01T00:00:00Z"}, "/created_at", "out_of_range"),
            ({"created_at": "2020-01-01T00:00:00"}, "/created_at", "bad_format"),
            ({"password_hash": PASSWORD}, "/password_hash", "bad_format"),
            ({"password_hash": "$2x$04$" + "a" * 53}, "/password_hash", "bad_format"),
            ({"password_hash": "$2b$03$" + "a" * 53}, "/password_hash", "out_of_range"),
            ({"password_hash": "$2b$16$" + "a" * 53}, "/password_hash", "out_of_range"),
            ({"password_hash": "$2b$12$" + "a" * 52}, "/password_hash", "bad_format"),
            (
                {"password_hash": f"$argon2id$v=19$m=4000000,t=1,p=1${'a' * 22}${'a' * 43}"},
                "/password_hash",
                "out_of_range",
            ),
            ({"password_hash": "$argon2id$v=19$m=64,t=1,p=1$"}, "/password_hash", "bad_format"),
            ({"password_hash": None}, "/password_hash", "wrong_type"),
        ],
    )
    def test_a_wrong_field_is_named(self, wrong: dict[str, Any], pointer: str, code: str | None) -> None:
        outcome = read_line(7, json.dumps(line(external_id="x", **wrong)).encode())
        assert isinstance(outcome, Refusal)
        assert (outcome.line, outcome.external_id) == (7, "x")
        assert [error.pointer for error in outcome.errors] == [pointer]
        assert code in (None, outcome.errors[0].code)

    def test_every_wrong_field_is_named_at_once(self) -> None:
        outcome = read_line(1, b'{"email": "x", "name": "", "roles": ["ADMIN"]}')
        assert isinstance(outcome, Refusal)
        assert {error.pointer for error in outcome.errors} == {"/email", "/name", "/password_hash", "/roles"}

    async def test_a_line_that_is_no_object_is_named_and_the_next_are_read(
        self, run: Import, sql: Sql, tmp_path: Path
    ) -> None:
        first, last = line(), line()
        done = await run(
            first,
            b'{"email": ',
            b"[1]",
            b'{"name": "\xff"}',
            b"\x00\x00",
            b"[" * 10_000,
            b'{"name": "' + b"x" * 10_000_000 + b'"}',
            line(city="ATLANTIS"),
            last,
        )
        assert done.returncode == 3, done.stderr
        assert [(item["line"], item["errors"][0]["code"]) for item in report(tmp_path)] == [
            (2, "malformed_json"),
            (3, "wrong_type"),
            (4, "bad_encoding"),
            (5, "malformed_json"),
            (6, "malformed_json"),
            (7, "line_too_long"),
            (8, "unknown_value"),
        ]
        assert done.stdout.startswith("9 lines: 2 accounts were imported, 7 lines were refused.\n")
        emails = [first["email"], last["email"]]
        assert await sql.value("SELECT count(*) FROM users WHERE email = ANY($1)", emails) == 2

    async def test_whose_address_is_taken_stays_as_it_is(
        self, run: Import, people: People, sql: Sql, tmp_path: Path
    ) -> None:
        person = await people.new("Leyla")
        before = (await sql.rows("SELECT * FROM users WHERE email = $1", person.email))[0]
        twice = line()
        done = await run(
            line(email=person.email.upper(), name="Thief", external_id="7"),
            twice,
            {**twice, "email": twice["email"].upper()},
        )
        assert done.returncode == 3
        assert {(item["line"], item["external_id"], item["errors"][0]["code"]) for item in report(tmp_path)} == {
            (1, "7", "email_taken"),
            (3, None, "email_taken"),
        }
        assert (await sql.rows("SELECT * FROM users WHERE email = $1", person.email))[0] == before

    async def test_running_it_again_changes_nothing(self, run: Import, sql: Sql, tmp_path: Path) -> None:
        given = [line() for _ in range(3)]
        kept = tmp_path / "users.jsonl.refused.jsonl"
        kept.write_text("of an earlier run")
        assert (await run(*given)).returncode == 0
        assert not kept.exists(), "nothing was refused"
        emails = [item["email"] for item in given]
        before = await sql.rows("SELECT * FROM users WHERE email = ANY($1) ORDER BY id", emails)
        again = await run(*({**item, "name": "Other"} for item in given))
        assert again.returncode == 3
        assert [item["errors"][0]["code"] for item in report(tmp_path)] == ["email_taken"] * 3
        assert await sql.rows("SELECT * FROM users WHERE email = ANY($1) ORDER BY id", emails) == before

    async def test_no_hash_is_ever_repeated_and_only_its_owner_reads_the_report(
        self, run: Import, tmp_path: Path
    ) -> None:
        odd = bcrypt_hash("2b", 4)
        done = await run(
            line(name=""),
            line(city="NOWHERE"),
            {**line(), odd: 1},
            line(external_id=odd, name=""),
            line(),
            options=("--report", "elsewhere"),
        )
        assert done.returncode == 3
        path = tmp_path / "elsewhere"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(path.read_text().splitlines()) == 4
        told = path.read_text() + done.stdout + done.stderr
        assert "$2" not in told


class TestUse:
    async def test_several_batches_and_plain_lines_of_progress(self, run: Import, sql: Sql) -> None:
        name = uuid4().hex[:8]
        given = [line(email=f"{name}.{number}@example.com") for number in range(10_500)]
        done = await run(*given)
        assert done.returncode == 0, done.stderr
        assert await sql.value("SELECT count(*) FROM users WHERE email LIKE $1 || '.%'", name) == 10_500
        assert "10000 lines read" in done.stderr
        assert "\x1b" not in done.stderr

    async def test_from_standard_input(self, tmp_path: Path, database_urls: EmbeddedUrls, sql: Sql) -> None:
        env = environment(tmp_path, free_port(), MEMI_DATABASE_URL=database_urls.app)
        given = line()
        text = f"{json.dumps(given)}\nnonsense\n"
        done = await asyncio.to_thread(memi, "import-users", "-", env=env, cwd=tmp_path, text=text)
        assert done.returncode == 3, done.stderr
        assert await sql.value("SELECT count(*) FROM users WHERE email = $1", given["email"]) == 1
        assert "malformed_json" in (tmp_path / "import-users.refused.jsonl").read_text()

    async def test_nothing_to_import_is_no_failure(self, run: Import) -> None:
        done = await run(raw=b"")
        assert (done.returncode, done.stdout) == (0, "0 lines: 0 accounts were imported, 0 lines were refused.\n")

    @pytest.mark.parametrize(
        ("arguments", "wrong"),
        [
            (("missing.jsonl",), "cannot read missing.jsonl"),
            ((".",), "cannot read ."),
            (("users.jsonl", "--report", "users.jsonl"), "the report cannot be written over"),
            (("users.jsonl", "--report", "no/such/folder"), "cannot write no/such/folder"),
        ],
    )
    def test_what_cannot_be_read_or_written_is_said_in_a_line(
        self, tmp_path: Path, database_urls: EmbeddedUrls, arguments: tuple[str, ...], wrong: str
    ) -> None:
        env = environment(tmp_path, free_port(), MEMI_DATABASE_URL=database_urls.app)
        (tmp_path / "users.jsonl").write_text("nonsense\n")
        done = memi("import-users", *arguments, env=env, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith(f"memi: {wrong}")
        assert (tmp_path / "users.jsonl").read_text() == "nonsense\n"

    def test_a_line_that_is_too_long_is_never_held_whole(self) -> None:
        class Watched(io.BytesIO):
            largest = 0

            def readline(self, size: int | None = -1, /) -> bytes:
                read = super().readline(size)
                self.largest = max(self.largest, len(read))
                return read

        source = Watched(b"a\n" + b"x" * 10_000_000 + b"\n" + b"y" * MAX_LINE + b"\n" + b"z" * (MAX_LINE + 1) + b"\nb")
        found = [(number, None if text is None else len(text)) for number, _, text in lines(source)]
        assert found == [(1, 1), (2, None), (3, MAX_LINE), (4, None), (5, 1)]
        assert source.largest < 100_000
