"""The OpenAPI document: valid, whole, and true of the routes."""

import json
from typing import Any

import httpx
import jsonschema
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from openapi_spec_validator import OpenAPIV31SpecValidator

from memi.app import create_litestar, openapi_document
from memi.platform.dependencies import asks_for_caller
from memi.platform.openapi import request_model
from memi.platform.settings import Environment, Settings
from memi.platform.validation import parse
from memi.wiring import open_runtime

METHODS = {"get", "post", "put", "patch", "delete"}

PUBLIC_CHANGES = {
    # Signing in is how one becomes somebody.
    ("POST", "/api/v1/auth/register"),
    ("POST", "/api/v1/auth/login"),
    ("POST", "/api/v1/auth/refresh"),
    ("POST", "/api/v1/auth/logout"),
    ("POST", "/api/v1/auth/mfa/verify"),
    ("POST", "/api/v1/auth/oauth/exchange"),
    # The provider has the browser post it; it counts with a state and a cookie that only that browser has.
    ("POST", "/api/v1/auth/oauth/{provider}/callback"),
    # The token of a mail is the proof, or is asked for; judging a password changes nothing.
    ("POST", "/api/v1/auth/email/verify"),
    ("POST", "/api/v1/auth/password/forgot"),
    ("POST", "/api/v1/auth/password/reset"),
    ("POST", "/api/v1/auth/password/strength"),
    # Whoever has the link reads the account's mail; nobody can sign in to an account that is deleted.
    ("POST", "/api/v1/auth/account/restore"),
    # The token of a mail is the permission to get no more of its kind.
    ("POST", "/api/v1/notifications/unsubscribe/{token}"),
    # Who is blocked cannot sign in; the token says that their password or provider was right.
    ("POST", "/api/v1/reports/block"),
    ("POST", "/api/v1/reports/block/appeal"),
    # Signed by the payments service, which the raw body proves.
    ("POST", "/api/v1/webhooks/payments"),
    # Signed by the service itself: the token in the path is the permission.
    ("PUT", "/media/incoming/{token}"),
}
"""Everything that changes something without a signed-in caller. Adding a line here is a decision."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(openapi_document())


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


@pytest.fixture(scope="module")
def app() -> Litestar:
    """Only its route table is looked at; nothing is opened."""
    settings = Settings(_env_file=None, env=Environment.TEST)
    return create_litestar(settings, lambda: open_runtime(settings, ""))


def routes(app: Litestar) -> list[tuple[str, str, Any]]:
    return [
        (method, route.path_format, handler)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != "OPTIONS"
    ]


class TestDocument:
    def test_is_valid_openapi_3_1(self, document: dict[str, Any]) -> None:
        assert document["openapi"].startswith("3.1")
        errors = list(OpenAPIV31SpecValidator(document).iter_errors())
        assert [error.message for error in errors] == []

    def test_operation_ids_are_unique(self, operations: list[tuple[str, str, dict[str, Any]]]) -> None:
        names = [operation["operationId"] for _, _, operation in operations]
        assert sorted(names) == sorted(set(names))
        assert len(names) > 40

    def test_every_operation_is_described_and_declares_errors(
        self, operations: list[tuple[str, str, dict[str, Any]]]
    ) -> None:
        for method, path, operation in operations:
            assert operation.get("description"), f"{method} {path} has no docstring"
            problem = operation["responses"]["default"]["content"]["application/problem+json"]
            assert problem["schema"]["$ref"].endswith("/Problem")

    def test_every_path_parameter_has_a_type(self, operations: list[tuple[str, str, dict[str, Any]]]) -> None:
        for method, path, operation in operations:
            declared = {item["name"]: item for item in operation.get("parameters", ()) if item["in"] == "path"}
            wanted = {part.strip("{}") for part in path.split("/") if part.startswith("{")}
            assert set(declared) == wanted, f"{method} {path}"
            for item in declared.values():
                assert item["schema"].get("type"), f"{method} {path}: {item['name']}"
                if item["name"].endswith("_id"):
                    assert item["schema"].get("format") == "uuid", f"{method} {path}: {item['name']}"

    def test_security_is_declared_where_a_caller_is_needed(self, document: dict[str, Any], app: Litestar) -> None:
        for method, path, handler in routes(app):
            operation = document["paths"].get(path, {}).get(method.lower())
            if operation is not None and asks_for_caller(handler):
                assert operation["security"][0] == {"bearer": []}, f"{method} {path}"


class TestExamples:
    def test_every_body_has_examples_that_fit_its_schema(
        self, document: dict[str, Any], operations: list[tuple[str, str, dict[str, Any]]]
    ) -> None:
        checked = 0
        for method, path, operation in operations:
            content = operation.get("requestBody", {}).get("content", {})
            media = content.get("application/json")
            if media is None:
                continue
            assert media.get("examples"), f"{method} {path} has no example"
            schema = {**media["schema"], "components": document["components"]}
            for example in media["examples"].values():
                jsonschema.Draft202012Validator(schema).validate(example["value"])
                checked += 1
        assert checked > 8

    def test_every_example_is_accepted_by_its_model(self, app: Litestar) -> None:
        for method, path, handler in routes(app):
            field = handler.parsed_fn_signature.parameters.get("data")
            model = None if field is None else request_model(field.annotation)
            if model is None:
                continue
            extra: Any = model.model_config.get("json_schema_extra")
            for example in extra["examples"]:
                assert parse(model, example) is not None, f"{method} {path}"


class TestWhoMayCall:
    def test_every_change_needs_a_caller_or_is_public_on_purpose(self, app: Litestar) -> None:
        changes = {(method, path): handler for method, path, handler in routes(app) if method not in ("GET", "HEAD")}
        open_to_all = {key for key, handler in changes.items() if not asks_for_caller(handler)}
        assert open_to_all == PUBLIC_CHANGES & set(changes)
        assert set(changes) >= PUBLIC_CHANGES

    def test_everything_for_staff_asks_for_a_permission(self, app: Litestar) -> None:
        staff = [(method, path, handler) for method, path, handler in routes(app) if "/admin/" in path]
        assert len(staff) > 8
        for method, path, handler in staff:
            permissions = [getattr(guard, "permission", None) for guard in handler.resolve_guards()]
            assert any(permissions), f"{method} {path}"

    async def test_anonymous_hears_401_on_every_route_that_is_not_public(
        self, app: Litestar, client: httpx.AsyncClient
    ) -> None:
        tried = 0
        for method, path, handler in routes(app):
            if not asks_for_caller(handler):
                continue
            real = "/".join(_fill(part) for part in path.split("/"))
            for options in ({}, {"json": {"nonsense": 1}}, {"content": b"{", "headers": {"Content-Type": "text/x"}}):
                reply = await client.request(method, real + "?nonsense=1", **options)
                assert (reply.status_code, reply.json()["code"]) == (401, "not_authenticated"), f"{method} {path}"
            reply = await client.request(method, real, headers={"Authorization": "Bearer nonsense"})
            assert (reply.status_code, reply.json()["code"]) == (401, "invalid_token"), f"{method} {path}"
            tried += 1
        assert tried > 30


class TestQueryStrings:
    async def test_an_unknown_parameter_is_422_on_every_public_read(
        self, app: Litestar, client: httpx.AsyncClient
    ) -> None:
        for method, path, handler in routes(app):
            if method != "GET" or asks_for_caller(handler) or handler.opt.get("any_query"):
                continue
            real = "/".join(_fill(part) for part in path.split("/"))
            reply = await client.get(real + "?no_such_parameter=1")
            assert reply.status_code == 422, f"{path}: {reply.status_code}"
            assert reply.json()["errors"][0]["pointer"] == "/no_such_parameter"


def _fill(part: str) -> str:
    if not part.startswith("{"):
        return part
    return "018f0000-0000-7000-8000-000000000000" if part.endswith("_id}") else "coats"
