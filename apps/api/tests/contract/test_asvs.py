"""docs/security says of every line of the standard how it is met, and by tests that there are."""

import ast
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from memi.app import openapi_document
from memi.auth.policy import SESSIONS_PER_USER
from memi.platform.settings import Environment, Settings
from support.documents import fields, rows, section
from support.sql import Sql

TESTS = Path(__file__).parents[1]
SECURITY = Path(__file__).parents[4] / "docs" / "security"
TEST = re.compile(r"`([\w/]+\.py(?:::\w+){1,2})`")
STATED = {"documented", "front end", "not applicable"}

LEVELS = {
    "3.3": "12223",
    "6.1": "122",
    "6.2": "111111112222",
    "6.3": "11223333",
    "6.4": "112233",
    "6.5": "22222333",
    "6.6": "2223",
    "6.7": "33",
    "6.8": "2222",
    "7.1": "222",
    "7.2": "1111",
    "7.3": "22",
    "7.4": "11222",
    "7.5": "223",
    "7.6": "22",
    "9.1": "111",
    "9.2": "1222",
    "10.1": "22",
    "10.2": "223",
    "10.3": "22223",
    "10.4": "1111122222233333",
    "10.5": "22222",
    "10.6": "22",
    "10.7": "222",
}
"""The level of each line of a section in 5.0.0: V6, V7, V9 and V10 whole, and of V3 what is about cookies."""
LINES = {f"{name}.{at}": int(level) for name, levels in LEVELS.items() for at, level in enumerate(levels, 1)}
LINES["11.4.2"] = 2
BEYOND = {"6.3.5", "6.3.6", "6.3.7", "6.3.8", "6.4.6", "6.5.6", "6.5.8", "7.5.3"}
"""Lines of level 3 that memi meets; of the others nothing is said."""


def table() -> list[list[str]]:
    return [row for row in rows((SECURITY / "asvs.md").read_text()) if row[0] != "line"]


@lru_cache
def names_in(path: str) -> frozenset[str]:
    """`test_x` and `TestX::test_x` of a file."""
    found: set[str] = set()
    for node in ast.parse((TESTS / path).read_text()).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found |= {f"{prefix}{one.name}" for one in inner if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


class TestTable:
    def test_every_line_is_there_once_and_in_order(self) -> None:
        named = [row[0] for row in table()]
        assert named == [f"{line} L{level}" for line, level in LINES.items() if level < 3 or line in BEYOND]

    def test_every_line_is_shown_by_tests_or_says_why_there_is_none(self) -> None:
        for line, asks, how, shown in table():
            assert asks, line
            assert len(how) > 1, line
            if shown in STATED:
                assert len(how) > 25, f"{line} gives no reason"
            else:
                assert TEST.sub("", shown).strip() == "", f"{line}: {shown}"
                assert TEST.search(shown), line

    def test_every_test_that_is_named_exists(self) -> None:
        missing = [
            f"{row[0]}: {name}"
            for row in table()
            for name in TEST.findall(row[3])
            if not (TESTS / name.partition("::")[0]).is_file()
            or name.partition("::")[2] not in names_in(name.partition("::")[0])
        ]
        assert missing == []

    def test_what_is_not_to_the_letter_is_a_line_of_the_table(self) -> None:
        named = re.findall(r"^- \*\*([\d.]+)\*\*", section(SECURITY / "asvs.md", "Not to the letter"), re.MULTILINE)
        assert named
        assert set(named) <= set(LINES)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(openapi_document())


def test_every_way_to_a_session_is_documented(document: dict[str, Any]) -> None:
    """What may reply with an access token, or as to a browser whose cookies it sets."""
    ways = {
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method, operation in item.items()
        for status, reply in operation["responses"].items()
        if status.startswith("2") and {"access_token", "expires_in"} & fields(document, reply)
    }
    documented = [row[0].strip("`") for row in rows(section(SECURITY / "README.md", "Ways to sign in"))]
    assert len(ways) > 4
    assert sorted(documented) == sorted(ways)


def test_there_are_no_hints_and_no_secret_questions(document: dict[str, Any]) -> None:
    named = fields(document, list(document["components"]["schemas"].values()))
    assert len(named) > 150
    assert {name for name in named if re.search(r"hint|question|answer|maiden|(^|_)pet(_|$)", name)} == set()


def test_staff_set_nobodys_password(document: dict[str, Any]) -> None:
    taken = {
        path: fields(document, operation.get("requestBody", {}))
        for path, item in document["paths"].items()
        if "/admin/" in path
        for operation in item.values()
    }
    assert len(taken) > 10
    assert [path for path, names in taken.items() if any("password" in name for name in names)] == []


async def test_a_new_installation_has_no_account(sql: Sql) -> None:
    """The database is migrated and seeded, as a new one is."""
    assert await sql.value("SELECT count(*) FROM categories") > 0
    for name in ("users", "auth_sessions", "external_identities"):
        assert await sql.value(f"SELECT count(*) FROM {name}") == 0


def test_the_lifetimes_that_are_documented_are_those_of_the_settings() -> None:
    settings = Settings(_env_file=None, env=Environment.TEST)
    text = section(SECURITY / "README.md", "Sessions")
    for said in (
        f"{settings.access_token_seconds // 60} minutes (`MEMI_ACCESS_TOKEN_SECONDS`)",
        f"{settings.refresh_token_days} days (`MEMI_REFRESH_TOKEN_DAYS`)",
        f"{settings.session_days} days (`MEMI_SESSION_DAYS`)",
        f"{settings.step_up_seconds // 60} minutes (`MEMI_STEP_UP_SECONDS`)",
        f"within {settings.refresh_grace_seconds} seconds (`MEMI_REFRESH_GRACE_SECONDS`)",
        f"{SESSIONS_PER_USER} for an account",
    ):
        assert said in " ".join(text.split()), said
