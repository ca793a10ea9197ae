"""What the code itself must keep to."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from memi import wiring
from memi.platform.errors import AppError

SOURCES = Path(__file__).parents[2] / "src" / "memi"
TESTS = Path(__file__).parents[1]
SQL_BELONGS_IN = re.compile(
    r"(queries|statements|bulk|models|job_queue|maintenance|grants|migrations|wiring|embedded_postgres|postgres_\w+)\.py$"
)
STATEMENT = re.compile(
    r"^\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|TRUNCATE|CREATE|ALTER|DROP|LOCK)\s+\S+", re.DOTALL
)
NO_TABLE = ("SELECT 1", "SELECT pg_notify")
BUILDERS = {"select", "insert", "update", "delete", "text"}


def sources() -> list[Path]:
    return sorted(SOURCES.rglob("*.py"))


def calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield node


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCES))


def imports_from_sqlalchemy(path: Path) -> set[str]:
    return {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy")
        for alias in node.names
    }


def test_one_place_commits() -> None:
    found = {
        name_of(path)
        for path in sources()
        for call in calls(path)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "commit"
        and ast.unparse(call.func.value).endswith(("session", "connection", "engine"))
    }
    assert found == {"platform/unit_of_work.py"}


def test_statements_live_in_queries() -> None:
    """Built or written out, a statement has its place; migrations are outside of this tree."""
    found: dict[str, list[str]] = {}
    for path in sources():
        name = name_of(path)
        if SQL_BELONGS_IN.search(name) or name.startswith("cli/"):
            continue
        builders = imports_from_sqlalchemy(path) & BUILDERS
        for call in calls(path):
            if isinstance(call.func, ast.Name) and call.func.id in builders:
                found.setdefault(name, []).append(ast.unparse(call)[:60])
            for argument in call.args:
                value = argument.value if isinstance(argument, ast.Constant) else None
                if isinstance(value, str) and STATEMENT.match(value) and not value.startswith(NO_TABLE):
                    found.setdefault(name, []).append(value[:60])
    assert found == {}


@pytest.mark.parametrize("root", [SOURCES, TESTS], ids=["sources", "tests"])
def test_no_file_is_longer_than_400_lines(root: Path) -> None:
    long = {str(path.relative_to(root)): lines for path in root.rglob("*.py") if (lines := _lines(path)) > 400}
    assert long == {}


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_packages_are_empty_shells() -> None:
    assert [name_of(path) for path in SOURCES.rglob("__init__.py") if path.read_text().strip()] == []


def test_a_code_means_one_status() -> None:
    """Two features may refuse for the same reason; a code never means two things."""
    wiring.load_models()
    statuses: dict[str, set[int]] = {}
    for kind in _kinds(AppError):
        statuses.setdefault(kind.code, set()).add(kind.status)
    assert len(statuses) > 20
    assert {code: found for code, found in statuses.items() if len(found) > 1} == {}
    assert [code for code in statuses if not re.fullmatch(r"[a-z][a-z0-9_]*", code)] == []


async def test_the_page_of_error_codes_lists_each_once(client: httpx.AsyncClient) -> None:
    text = (await client.get("/docs/errors")).text
    listed = re.findall(r'<tr id="(\w+)">', text)
    assert sorted(listed) == sorted({kind.code for kind in _kinds(AppError)})


def _kinds(root: type[AppError]) -> set[type[AppError]]:
    return {kind for child in root.__subclasses__() for kind in {child, *_kinds(child)}}


def test_nothing_imports_inside_a_function() -> None:
    found = [
        f"{name_of(path)}:{inner.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert found == []
