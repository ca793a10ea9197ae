"""What is open to who acts in somebody's place: what docs/impersonation.md lists, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from memi.app import create_litestar
from memi.platform.dependencies import READS_VIEWER, asks_for_caller
from memi.platform.impersonation import IMPERSONATION
from memi.platform.settings import Environment, Settings
from memi.wiring import open_runtime
from support.documents import rows, section
from support.impersonating import act, acting, factored
from support.people import People
from support.sql import Sql

NEVER = (
    "/auth/",
    "/admin/",
    "/users/me/export",
    "/users/me/privacy",
    "/users/me/blocks",
    "/users/me/addresses",
    "/notifications/preferences",
    "/reservations",
    "/orders",
    "/reports",
    "/chats",
)
"""What is never changed in somebody's place, and what is not even looked at."""


@pytest.fixture(scope="module")
def routes() -> dict[tuple[str, str], Any]:
    """Every route below `/api/v1` that knows who calls."""
    settings = Settings(_env_file=None, env=Environment.TEST)
    app: Litestar = create_litestar(settings, lambda: open_runtime(settings, ""))
    return {
        (method, route.path_format.removeprefix("/api/v1")): handler
        for route in app.routes
        if isinstance(route, HTTPRoute) and route.path.startswith("/api/v1")
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != "OPTIONS" and (asks_for_caller(handler) or handler.opt.get(READS_VIEWER))
    }


def test_the_document_lists_what_is_open_and_nothing_else(routes: dict[tuple[str, str], Any], repository: Path) -> None:
    listed = rows(section(repository / "docs" / "impersonation.md", "What it may do"))
    documented = {tuple(route.strip("`").split(" ", 1)): to for route, to in listed}
    found = {key: str(handler.opt[IMPERSONATION]) for key, handler in routes.items() if IMPERSONATION in handler.opt}
    assert documented == found
    assert len(routes) > 3 * len(found)


def test_nothing_that_binds_a_person_is_open(routes: dict[tuple[str, str], Any]) -> None:
    opened = [key for key, handler in routes.items() if IMPERSONATION in handler.opt]
    assert [key for key in opened if key[1].startswith(("/auth/", "/admin/", "/users/me/export"))] == []
    changes = [key for key in opened if key[0] != "GET"]
    assert [key for key in changes if key[1].startswith(NEVER) or key[1] == "/users/me"] == []
    assert sorted(changes) == [
        ("DELETE", "/listings/{listing_id}/favorite"),
        ("PUT", "/listings/{listing_id}/favorite"),
    ]


async def test_every_other_route_is_refused(people: People, sql: Sql, routes: dict[tuple[str, str], Any]) -> None:
    acts = await acting(people, sql)
    closed = [key for key, handler in routes.items() if handler.opt.get(IMPERSONATION) != "all"]
    for method, path in closed:
        real = "/".join(
            "018f0000-0000-7000-8000-000000000000" if part.startswith("{") else part for part in path.split("/")
        )
        for options in ({}, {"json": {"nonsense": 1}}):
            reply = await acts.them.request(method, real, **options)
            assert (reply.status_code, reply.json()["code"]) == (403, "not_while_impersonating"), f"{method} {path}"
    assert len(closed) > 60
    assert (await acts.them.get("/users/me")).status_code == 200, "it still stands"


async def test_every_open_read_answers(people: People, sql: Sql, routes: dict[tuple[str, str], Any]) -> None:
    admin, _ = await factored(people, sql)
    acts = await act(admin, await people.new())
    for method, path in (key for key, handler in routes.items() if handler.opt.get(IMPERSONATION) == "all"):
        if method != "GET" or "{" in path:
            continue
        theirs, seen = await acts.person.get(path), await acts.them.get(path)
        assert (theirs.status_code, seen.status_code) == (200, 200), path
        if path != "/users/me":
            assert seen.json() == theirs.json()
