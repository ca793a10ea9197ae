"""Every POST that needs a caller, takes an Idempotency-Key: sent again it does nothing."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from memi.app import create_litestar
from memi.platform.idempotency import is_repeatable
from memi.platform.settings import Environment, Settings
from memi.wiring import open_runtime
from support.cases import Cases
from support.deals import Deals
from support.orders import Orders
from support.people import People
from support.posting import WAYS, Ways
from support.sql import Sql
from support.talks import Talks

NEVER = {"/webhooks/payments", "/notifications/unsubscribe/{token}", "/reports/block", "/reports/block/appeal"}
NEVER |= {"/admin/users/{user_id}/impersonate"}
"""Nobody calls these, or their replies must not be kept; everything under `/auth` is one of them."""


def posts() -> dict[str, bool]:
    """Every POST below `/api/v1`, and whether it takes a key."""
    settings = Settings(_env_file=None, env=Environment.TEST)
    app: Litestar = create_litestar(settings, lambda: open_runtime(settings, ""))
    return {
        handler_path(route): is_repeatable(handler, route.path)
        for route in app.routes
        if isinstance(route, HTTPRoute) and route.path.startswith("/api/v1")
        for handler in route.route_handlers
        if "POST" in handler.http_methods
    }


def handler_path(route: HTTPRoute) -> str:
    return route.path.removeprefix("/api/v1").replace(":uuid", "").replace(":str", "")


def test_every_post_of_somebodys_takes_a_key_but_under_auth() -> None:
    found = posts()
    assert {path for path, takes in found.items() if takes} == set(WAYS)
    assert {path for path, takes in found.items() if not takes and not path.startswith("/auth/")} == NEVER


@pytest.fixture(scope="module")
async def ways(people: People, sql: Sql) -> Ways:
    deals = Deals(people, sql)
    talks = Talks(people, sql)
    return Ways(people, deals, Orders(deals, people, sql), talks, Cases(people, talks, sql), sql)


ARRIVALS = ["auth_sessions", "idempotency_keys", "usage_events", "usage_day_salts"]


async def everything(sql: Sql) -> dict[str, Any]:
    """All that is stored, but what merely being here changes."""
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL ($1) ORDER BY 1"
    names = [row["tablename"] for row in await sql.rows(tables, ARRIVALS)]
    return {
        name: await sql.value(f"SELECT coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {name} AS t")
        for name in names
    }


@pytest.mark.parametrize("path", WAYS)
async def test_sent_again_under_its_key_it_does_nothing_and_says_the_same(ways: Ways, path: str) -> None:
    person, where, body = await WAYS[path](ways)
    headers, before = {"Idempotency-Key": uuid4().hex}, await everything(ways.sql)
    first = await person.post(where, body, headers=headers)
    assert first.status_code < 300, first.text
    done = await everything(ways.sql)
    assert done != before
    again = await person.post(where, body, headers=headers)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert {name: first.headers.get(name) for name in ("etag", "location")} == {
        name: again.headers.get(name) for name in ("etag", "location")
    }
    other = await person.post(where, {"something": "else"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert await everything(ways.sql) == done


async def test_a_message_and_its_stored_reply_go_together(ways: Ways, client: httpx.AsyncClient) -> None:
    """The hottest write has a way of its own; under a key it is part of the request's transaction."""
    talk, key = await ways.talks.new(), uuid4().hex
    await ways.sql.execute(
        "CREATE FUNCTION refuse_key() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        "CREATE TRIGGER refuse BEFORE INSERT ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION refuse_key()"
    )
    path, body, headers = f"/chats/{talk.id}/messages", {"body": "Once"}, {"Idempotency-Key": key}
    try:
        assert (await talk.seller.post(path, body, headers=headers)).status_code == 500
    finally:
        await ways.sql.execute("DROP TRIGGER refuse ON idempotency_keys; DROP FUNCTION refuse_key()")
    said = "SELECT count(*) FROM messages WHERE chat_id = $1 AND body = 'Once'"
    assert await ways.sql.value(said, UUID(talk.id)) == 0
    replies = [await talk.seller.post(path, body, headers=headers) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [201, 201]
    assert replies[1].headers["idempotent-replayed"] == "true"
    assert await ways.sql.value(said, UUID(talk.id)) == 1
