"""Accounts for tests, made as users make them."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from memi.platform.permissions import Role
from memi.platform.runtime import Runtime
from memi.users import service as users

PASSWORD = "a long enough passphrase"


@dataclass
class Person:
    """A signed-in client of the API; paths are below `/api/v1`."""

    client: httpx.AsyncClient
    id: str
    email: str
    access_token: str
    refresh_token: str
    profile: dict[str, Any] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return await self.client.request(method, f"/api/v1{path}", headers=headers, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("GET", path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        if json is not None:
            options["json"] = json
        return await self.request("POST", path, **options)

    async def put(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        if json is not None:
            options["json"] = json
        return await self.request("PUT", path, **options)

    async def patch(self, path: str, json: Any, **options: Any) -> httpx.Response:
        return await self.request("PATCH", path, json=json, **options)

    async def delete(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("DELETE", path, **options)


class People:
    def __init__(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        self._client = client
        self._runtime = runtime

    async def new(self, name: str = "Aysel", *, role: Role | None = None) -> Person:
        """Register someone; with `role`, grant it and sign in again so that the token carries it."""
        email = f"{name.lower()}.{uuid4().hex[:10]}@example.com"
        body = {"email": email, "password": PASSWORD, "name": name}
        reply = await self._client.post("/api/v1/auth/register", json=body)
        assert reply.status_code == 201, reply.text
        if role is not None:
            async with self._runtime.unit_of_work() as session:
                user = await users.find_by_email(session, email)
                assert user is not None
                await users.grant_role(session, user.id, role)
            reply = await self._client.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
            assert reply.status_code == 200, reply.text
        made = reply.json()
        return Person(
            self._client, made["user"]["id"], email, made["access_token"], made["refresh_token"], made["user"]
        )

    async def moderator(self) -> Person:
        return await self.new("Moderator", role=Role.MODERATOR)

    async def admin(self) -> Person:
        return await self.new("Admin", role=Role.ADMIN)
