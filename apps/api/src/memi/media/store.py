"""The port of the object store: where files live, and how clients bring them there themselves.

Keys are `<area>/<name>`. Clients put into `incoming` only; `originals` and `exports` are private; `public` is what
anyone may read.
"""

import secrets
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import IO, Protocol

import msgspec

from memi.platform.adapters import Adapters


class Area(StrEnum):
    INCOMING = "incoming"
    ORIGINALS = "originals"
    PUBLIC = "public"
    EXPORTS = "exports"


class PresignedPut(msgspec.Struct, frozen=True):
    """A request that a client makes as it stands, `headers` and the exact announced length included."""

    method: str
    url: str
    headers: dict[str, str]
    expires_at: datetime


class ObjectStore(Protocol):
    """Raises `FileNotFoundError` where an object is needed and absent, `OSError` when the store cannot be reached."""

    def presign_put(self, key: str, content_type: str, size: int, expires: timedelta) -> PresignedPut:
        """A PUT of exactly `size` bytes of `content_type`, good for `expires`."""
        ...

    def presign_get(self, key: str, filename: str, content_type: str, expires: timedelta) -> str:
        """Where whoever has the URL reads a private object for `expires`, saved as `filename` (plain ASCII)."""
        ...

    def public_url(self, key: str) -> str:
        """Where anyone reads a public object, for good: its content never changes."""
        ...

    async def size(self, key: str) -> int | None:
        """The object's length in bytes; None when there is none."""
        ...

    def local_copy(self, key: str) -> AbstractAsyncContextManager[Path]:
        """The object as a file to read while the context lasts."""
        ...

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Write an object whole; nobody ever sees a part of it."""
        ...

    async def put_file(self, key: str, file: IO[bytes], content_type: str) -> None:
        """Like `put`, of a file from where it stands to its end, in chunks."""
        ...

    async def copy(self, source: str, target: str) -> None:
        """Copy an object within the store; nobody ever sees a part of it."""
        ...

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; absent ones are no error."""
        ...

    async def prune_incoming(self, older_than: timedelta) -> None:
        """Forget what clients brought longer ago than that: by then it was copied or nobody wants it."""
        ...


def store_of(adapters: Adapters) -> ObjectStore:
    """The store that wiring chose."""
    return adapters.get(ObjectStore)  # pyright: ignore[reportAbstractUsage]  # the port is only the name here


def new_key(area: Area, suffix: str = "") -> str:
    """A key that nobody can guess."""
    return f"{area}/{secrets.token_urlsafe(24)}{suffix}"
