"""Where everybody needs a second factor, nobody gets to anything else with a password or provider alone."""

import httpx
import pytest
from litestar.routes import HTTPRoute

from memi.app import create_litestar
from memi.platform.dependencies import ENROLMENT, asks_for_caller
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.wiring import already_open
from support.factors import begin, enrol, sign_in
from support.people import PASSWORD, People
from support.sql import Sql


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"require_user_mfa": True})


async def test_who_just_registered_can_get_one_and_nothing_else(
    people: People, settings: Settings, runtime: Runtime
) -> None:
    person = await people.new()
    app = create_litestar(settings, lambda: already_open(runtime))
    closed = [
        (method, route.path_format)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if asks_for_caller(handler) and not handler.opt.get(ENROLMENT)
        for method in handler.http_methods
        if method != "OPTIONS"
    ]
    assert len(closed) > 60
    for method, path in closed:
        parts = ("018f0000-0000-7000-8000-000000000000" if part[:1] == "{" else part for part in path.split("/"))
        reply = await person.client.request(method, "/".join(parts), headers=person.headers)
        assert (reply.status_code, reply.json()["code"]) == (403, "mfa_enrolment_required"), f"{method} {path}"
    assert (await person.get("/auth/mfa")).json()["enrolment_required"] is True


async def test_the_factor_opens_the_rest_and_every_sign_in_asks_for_it(
    people: People, client: httpx.AsyncClient, sql: Sql
) -> None:
    person = await people.new()
    await begin(person, sql)
    assert (await person.get("/notifications")).json()["code"] == "mfa_enrolment_required"
    app, _ = await enrol(person, sql)
    assert (await person.get("/notifications")).status_code == 200
    login = await client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
    assert set(login.json()) == {"mfa_required", "mfa_token", "expires_in", "methods"}
    await sign_in(client, person, app)
    assert (await person.get("/notifications")).status_code == 200


async def test_another_phone_begins_where_a_newcomer_does(people: People, sql: Sql) -> None:
    person = await people.new()
    app, _ = await enrol(person, sql)
    assert (await person.delete("/auth/mfa/totp", json={"code": await app.fresh_code()})).status_code == 204
    assert (await person.get("/notifications")).json()["code"] == "mfa_enrolment_required"
    await enrol(person, sql)
    assert (await person.get("/notifications")).status_code == 200


async def test_staff_need_one_too_and_keep_it(people: People, sql: Sql) -> None:
    moderator = await people.moderator()
    assert (await moderator.get("/admin/listings")).json()["code"] == "mfa_enrolment_required"
    app, _ = await enrol(moderator, sql)
    assert (await moderator.get("/admin/listings")).status_code == 200
    reply = await moderator.delete("/auth/mfa/totp", json={"code": await app.fresh_code()})
    assert (reply.status_code, reply.json()["code"]) == (403, "mfa_required_for_staff")
