"""The OpenAPI document: what Litestar derives from the routes, made whole with our queries, examples and errors."""

from typing import Any

import msgspec
from litestar import Litestar
from litestar.routes import HTTPRoute

from memi.platform.dependencies import QUERY_MODEL
from memi.platform.problems import MEDIA_TYPE
from memi.platform.validation import REQUEST_KINDS, RequestModel

Json = dict[str, Any]
_DEFAULT_ERROR = {
    "description": "Any other error, as a problem document.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def build_document(app: Litestar) -> bytes:
    """The finished document, JSON."""
    document: Json = msgspec.to_builtins(app.openapi_schema.to_schema(), str_keys=True)
    schemas: Json = document.setdefault("components", {}).setdefault("schemas", {})
    document["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    for path, method, handler in _operations(app):
        operation: Json | None = document["paths"].get(path, {}).get(method)
        if operation is None:
            continue
        operation["operationId"] = handler.fn.__name__
        _add_query(operation, handler.opt.get(QUERY_MODEL), schemas)
        _add_example(operation, handler)
        names = handler.parsed_fn_signature.parameters
        if "caller" in names or handler.resolve_guards():
            operation["security"] = [{"bearer": []}]
        elif "viewer" in names:
            operation["security"] = [{}, {"bearer": []}]
        operation["responses"].pop("400", None)
        operation["responses"].setdefault("default", _DEFAULT_ERROR)
    return msgspec.json.format(msgspec.json.encode(document), indent=1)


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
        parameters.append(parameter)


def _add_example(operation: Json, handler: Any) -> None:
    field = handler.parsed_fn_signature.parameters.get("data")
    annotation = None if field is None else field.annotation
    if not (isinstance(annotation, type) and issubclass(annotation, REQUEST_KINDS)):
        return
    extra: Any = annotation.model_config.get("json_schema_extra")
    examples: list[Any] | None = extra.get("examples") if extra else None
    if examples:
        for media in operation["requestBody"]["content"].values():
            media["examples"] = {f"example{number}": {"value": value} for number, value in enumerate(examples, 1)}
