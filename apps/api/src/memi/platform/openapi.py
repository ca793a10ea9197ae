"""The OpenAPI document: what Litestar derives from the routes, made whole with our queries, examples and errors."""

from typing import Any, get_args

import msgspec
from litestar import Litestar
from litestar.routes import HTTPRoute

from memi.platform.dependencies import LIMIT, QUERY_MODEL, READS_VIEWER, asks_for_caller
from memi.platform.idempotency import is_repeatable
from memi.platform.problems import MEDIA_TYPE
from memi.platform.validation import REQUEST_KINDS, RequestModel

Json = dict[str, Any]
_DEFAULT_ERROR = {
    "description": "Any other error, as a problem document.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_LIMITED: Json = {
    "description": "`rate_limited`: Too many of these calls; wait a while.",
    "headers": {
        "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
        "RateLimit": {"description": "What remains of each limit: r calls, t seconds.", "schema": {"type": "string"}},
        "RateLimit-Policy": {"description": "The limits: q calls in w seconds.", "schema": {"type": "string"}},
    },
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_SECURITY: Json = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-memi_access",
        "description": "Set by a sign-in with `transport: cookie`; scripts cannot read it. On http://localhost its "
        "name has no `__Host-`.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRF-Token",
        "description": "What `GET /auth/csrf` says; goes with every unsafe call that is signed in by cookie.",
    },
}
_IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again with the same key within 24 hours, the request has no second effect and gets the stored "
    "reply, marked `Idempotent-Replayed: true`. With another request under the same key 422 `idempotency_mismatch`; "
    "while the first is running 409 `idempotency_in_progress`.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


def build_document(app: Litestar) -> bytes:
    """The finished document, JSON."""
    document: Json = msgspec.to_builtins(app.openapi_schema.to_schema(), str_keys=True)
    schemas: Json = document.setdefault("components", {}).setdefault("schemas", {})
    document["components"]["securitySchemes"] = _SECURITY
    for path, method, handler in _operations(app):
        operation: Json | None = document["paths"].get(path, {}).get(method)
        if operation is None:
            continue
        operation["operationId"] = handler.fn.__name__
        _add_query(operation, handler.opt.get(QUERY_MODEL), schemas)
        _add_body(operation, handler, schemas)
        names = handler.parsed_fn_signature.parameters
        if asks_for_caller(handler):
            operation["security"] = [{"bearer": []}, {"cookie": []} if method == "get" else {"cookie": [], "csrf": []}]
        elif "viewer" in names or handler.opt.get(READS_VIEWER):
            operation["security"] = [{}, {"bearer": []}, {"cookie": []}]
        _add_limit(operation, handler)
        if method == "post" and is_repeatable(handler, path):
            operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
        operation["responses"].pop("400", None)
        operation["responses"].setdefault("default", _DEFAULT_ERROR)
    return msgspec.json.format(msgspec.json.encode(document), indent=1)


def _add_limit(operation: Json, handler: Any) -> None:
    """429, on every route that counts its calls."""
    if any(hasattr(guard, LIMIT) for guard in handler.resolve_guards()):
        told: Json = operation["responses"].setdefault("429", dict(_LIMITED))
        if "`rate_limited`" not in told["description"]:
            told["description"] += " " + _LIMITED["description"]
        told["headers"] = _LIMITED["headers"]


def _operations(app: Litestar) -> list[tuple[str, str, Any]]:
    found: list[tuple[str, str, Any]] = []
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                found.extend((route.path_format, method.lower(), handler) for method in handler.http_methods)
    return found


def _add_query(operation: Json, model: type[RequestModel] | None, schemas: Json) -> None:
    if model is None:
        return
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}", by_alias=True)
    schemas.update(schema.pop("$defs", {}))
    required = set(schema.get("required", ()))
    parameters: list[Json] = operation.setdefault("parameters", [])
    for name, definition in schema["properties"].items():
        description = definition.pop("description", None)
        parameter: Json = {"name": name, "in": "query", "required": name in required, "schema": definition}
        if description:
            parameter["description"] = description
        if any(kind.get("type") == "object" for kind in (definition, *definition.get("anyOf", ()))):
            parameter.update(style="deepObject", explode=True)  # name[key]=value
        parameters.append(parameter)


def request_model(annotation: Any) -> Any:
    """The request model that a body is annotated with, also where the body may be left out; None when it has none."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, REQUEST_KINDS):
            return kind  # pyright: ignore[reportUnknownVariableType]  # a list of anything
    return None


def _add_body(operation: Json, handler: Any, schemas: Json) -> None:
    """The request model's own schema, which is what validates, and its examples."""
    field = handler.parsed_fn_signature.parameters.get("data")
    annotation = None if field is None else request_model(field.annotation)
    if annotation is None:
        return
    schema = annotation.model_json_schema(ref_template="#/components/schemas/{model}", by_alias=True)
    examples: list[Any] = schema.pop("examples", [])
    schemas.update(schema.pop("$defs", {}))
    schemas[annotation.__name__] = schema
    reference: Json = {"$ref": f"#/components/schemas/{annotation.__name__}"}
    for media in operation["requestBody"]["content"].values():
        optional = media["schema"].get("oneOf", ())
        media["schema"] = {"oneOf": [reference, {"type": "null"}]} if {"type": "null"} in optional else reference
        media["examples"] = {f"example{number}": {"value": value} for number, value in enumerate(examples, 1)}
