"""Swagger UI from local assets, the OpenAPI document, and the list of error codes."""

import asyncio
from functools import lru_cache
from html import escape
from importlib.resources import files

from litestar import Response, get
from litestar.params import FromPath

from memi.platform.dependencies import AnyRequest
from memi.platform.errors import AppError, NotFound

_ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
    "start.js": "text/javascript",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>memi API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/docs/assets/favicon-32x32.png"><link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head><body><div id="ui"></div><script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/start.js"></script></body></html>
"""
_START = 'SwaggerUIBundle({url: "/docs/json", dom_id: "#ui", deepLinking: true, persistAuthorization: false});'


@get("/docs", include_in_schema=False)
async def swagger() -> Response[str]:
    """The interactive documentation."""
    return _html(_PAGE)


@get("/docs/assets/{name:str}", include_in_schema=False)
async def asset(name: FromPath[str]) -> Response[bytes]:
    """Swagger UI's files, out of the installed package."""
    if name not in _ASSETS:
        raise NotFound
    return Response(_asset(name), media_type=_ASSETS[name], headers={"Cache-Control": "public, max-age=86400"})


@get("/docs/json", include_in_schema=False)
async def document(request: AnyRequest) -> Response[bytes]:
    """The OpenAPI 3.1 document."""
    # Building it takes a moment of pure CPU, the first time.
    body: bytes = await asyncio.to_thread(request.app.state.openapi)
    return Response(body, media_type="application/json", headers={"Cache-Control": "public, max-age=60"})


@get("/docs/errors", include_in_schema=False)
async def error_codes() -> Response[str]:
    """Every `code` a problem document may carry; a problem's `type` points here."""
    # Features may refuse for the same reason, with the same code: it is one line here.
    kinds: dict[str, type[AppError]] = {}
    for kind in sorted(_kinds(AppError), key=lambda kind: (kind.status, kind.code, kind.__module__)):
        kinds.setdefault(kind.code, kind)
    rows = "".join(
        f'<tr id="{code}"><td><code>{code}</code></td><td>{kind.status}</td><td>{escape(kind.title)}</td></tr>'
        for code, kind in kinds.items()
    )
    return _html(f"<!doctype html><html lang=en><title>memi errors</title><h1>Error codes</h1><table>{rows}</table>")


def _html(body: str) -> Response[str]:
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "public, max-age=60"}
    return Response(body, media_type="text/html", headers=headers)


@lru_cache(maxsize=8)
def _asset(name: str) -> bytes:
    if name == "start.js":
        return _START.encode()
    return files("swagger_ui").joinpath("static", name).read_bytes()


def _kinds(root: type[AppError]) -> set[type[AppError]]:
    found: set[type[AppError]] = set()
    for kind in root.__subclasses__():
        found |= {kind, *_kinds(kind)}
    return found


HANDLERS = [swagger, asset, document, error_codes]
