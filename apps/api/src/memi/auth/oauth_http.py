"""Asking providers: bounded in time and size, no redirect followed, JSON objects only."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

import httpx
import msgspec

from memi.auth.oauth_errors import ProviderUnavailable

Document = dict[str, Any]
T = TypeVar("T")
_SECONDS = 5.0
_LARGEST = 256 * 1024
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "memi"}


class ProviderHttp:
    def __init__(self) -> None:
        self._client = httpx.AsyncClient(headers=_HEADERS, timeout=_SECONDS, follow_redirects=False)

    async def get(self, url: str) -> Document:
        """What a provider publishes; raises `ProviderUnavailable`."""
        status, document = await self._ask("GET", url, None)
        if status != 200:
            raise ProviderUnavailable(f"{status} from {url}")
        return document

    async def post(self, url: str, form: Mapping[str, str]) -> tuple[int, Document]:
        """(status, answer), the status 200 or one that lays the blame on us; raises `ProviderUnavailable`."""
        status, document = await self._ask("POST", url, form)
        if status != 200 and not (400 <= status < 500 and status != 429):
            raise ProviderUnavailable(f"{status} from {url}")
        return status, document

    async def _ask(self, method: str, url: str, form: Mapping[str, str] | None) -> tuple[int, Document]:
        body = bytearray()
        try:
            async with asyncio.timeout(_SECONDS), self._client.stream(method, url, data=form) as reply:
                async for part in reply.aiter_raw():
                    body += part
                    if len(body) > _LARGEST:
                        raise ProviderUnavailable(f"more than {_LARGEST} bytes from {url}")
            return reply.status_code, msgspec.json.decode(bytes(body), type=Document)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProviderUnavailable(f"{type(error).__name__} from {url}") from None

    async def aclose(self) -> None:
        await self._client.aclose()


class Kept(Generic[T]):
    """Something fetched and kept for a while. Who comes meanwhile waits for the same fetch, or hears that it failed."""

    def __init__(self, fetch: Callable[[], Awaitable[T]], seconds: float, *, pause: float = 1.0) -> None:
        self._fetch = fetch
        self._seconds = seconds
        self._pause = pause
        self._lock = asyncio.Lock()
        self._value: T | None = None
        self._until = 0.0
        self._failure = ""
        self._failed_until = 0.0

    async def get(self) -> T:
        if (value := self._fresh()) is not None:
            return value
        async with self._lock:
            if (value := self._fresh()) is not None:
                return value
            if time.monotonic() < self._failed_until:
                raise ProviderUnavailable(self._failure)
            return await self._fetch_now()

    async def renew(self, seen: T) -> T:
        """A newer value than `seen`, which was not good enough."""
        async with self._lock:
            return self._value if self._value is not None and self._value is not seen else await self._fetch_now()

    def _fresh(self) -> T | None:
        return self._value if time.monotonic() < self._until else None

    async def _fetch_now(self) -> T:
        try:
            value = self._value = await self._fetch()
        except ProviderUnavailable as error:
            self._failure, self._failed_until = error.reason, time.monotonic() + self._pause
            raise
        self._until = time.monotonic() + self._seconds
        return value
