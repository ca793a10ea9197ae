"""Clients that keep cookies, as browsers do, each on its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx

from support.people import PASSWORD


class Browser:
    """Signed in by cookie; paths are below `/api/v1`. It echoes the CSRF token unless told otherwise."""

    def __init__(self, client: httpx.AsyncClient, signed_in: dict[str, Any]) -> None:
        self.client = client
        self.user: dict[str, Any] = signed_in["user"]
        self.csrf: str = signed_in["csrf_token"]

    @property
    def id(self) -> str:
        return self.user["id"]

    async def request(self, method: str, path: str, *, csrf: str | None = "", **options: Any) -> httpx.Response:
        """`csrf` "" sends the right token, None none."""
        headers = dict(options.pop("headers", {}))
        if csrf is not None:
            headers["X-CSRF-Token"] = csrf or self.csrf
        return await self.client.request(method, f"/api/v1{path}", headers=headers, **options)


@asynccontextmanager
async def browser_of(client: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the same application with a cookie jar of its own."""
    async with httpx.AsyncClient(transport=_Shared(client), base_url=client.base_url) as opened:
        yield opened


@asynccontextmanager
async def signed_in_browser(client: httpx.AsyncClient, **changes: Any) -> AsyncIterator[Browser]:
    """Somebody new, registered in a browser."""
    body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "name": "Leyla", "transport": "cookie"}
    async with browser_of(client) as opened:
        reply = await opened.post("/api/v1/auth/register", json={**body, **changes})
        assert reply.status_code == 201, reply.text
        yield Browser(opened, reply.json())


class _Shared(httpx.AsyncBaseTransport):
    """Another client's way to the application, which stays open when this one closes."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._client._transport.handle_async_request(request)
