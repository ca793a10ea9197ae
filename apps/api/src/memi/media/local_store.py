"""The object store of a single machine: files in a folder, presigned PUTs and GETs that this service itself serves.

Every write goes to a temporary file and is renamed into place, so an object is whole or absent, and replacing one
leaves earlier copies and open readers alone. File work runs in threads, in chunks, so memory stays constant.
"""

import asyncio
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, BinaryIO

import msgspec

from memi.media.errors import (
    BadDownloadSignature,
    BadUploadSignature,
    DownloadUrlExpired,
    UploadLengthMismatch,
    UploadUrlExpired,
)
from memi.media.store import Area, PresignedPut
from memi.media.url_signing import GetGrant, PutGrant, UrlSigner, is_over, until
from memi.platform import clock
from memi.platform.errors import BodyTooLarge
from memi.platform.keyring import KeyRing

CHUNK_BYTES = 256 * 1024
_NAME = re.compile(r"[A-Za-z0-9_-]{32}(\.[a-z0-9]{2,5})?")
_TYPES = {".webp": "image/webp", ".avif": "image/avif"}


class PublicFile(msgspec.Struct, frozen=True):
    """A public object on disk; `size` in bytes."""

    path: Path
    size: int
    content_type: str


class LocalStore:
    """`root` holds one folder per area; `base_url` is this service's, `public_base` where public objects are read."""

    def __init__(self, root: Path, key_ring: KeyRing, base_url: str, public_base: str | None = None) -> None:
        self._root = root
        self._puts = UrlSigner(key_ring, "media.put", PutGrant)
        self._gets = UrlSigner(key_ring, "media.get", GetGrant)
        self._base_url = base_url
        self._public_base = (public_base or f"{base_url}/media/public").rstrip("/")
        self._temporary = root / "tmp"
        self._temporary.mkdir(mode=0o700, parents=True, exist_ok=True)

    def presign_put(self, key: str, content_type: str, size: int, expires: timedelta) -> PresignedPut:
        self._path(key)
        end = clock.now() + expires
        token = self._puts.sign(PutGrant(key, content_type, size, end.timestamp(), self._puts.kid))
        return PresignedPut("PUT", f"{self._base_url}/media/incoming/{token}", {"Content-Type": content_type}, end)

    def read_grant(self, token: str) -> PutGrant:
        """What a URL of `presign_put` allows; raises `BadUploadSignature` or `UploadUrlExpired`."""
        grant = self._puts.read(token)
        if grant is None:
            raise BadUploadSignature
        if is_over(grant):
            raise UploadUrlExpired
        return grant

    def presign_get(self, key: str, filename: str, content_type: str, expires: timedelta) -> str:
        self._path(key)
        token = self._gets.sign(GetGrant(key, filename, content_type, until(expires), self._gets.kid))
        return f"{self._base_url}/media/private/{token}"

    def read_download(self, token: str) -> GetGrant:
        """What a URL of `presign_get` allows; raises `BadDownloadSignature` or `DownloadUrlExpired`."""
        grant = self._gets.read(token)
        if grant is None:
            raise BadDownloadSignature
        if is_over(grant):
            raise DownloadUrlExpired
        return grant

    def public_url(self, key: str) -> str:
        return f"{self._public_base}/{key.partition('/')[2]}"

    async def receive(self, grant: PutGrant, chunks: AsyncIterable[bytes]) -> None:
        """Write what a client sends; raises `BodyTooLarge` or `UploadLengthMismatch` unless as long as granted."""
        target = self._path(grant.key)
        temporary = self._new_temporary()
        file = await asyncio.to_thread(temporary.open, "xb")
        try:
            try:
                await _write_exactly(file, grant.size, chunks)
            finally:
                await asyncio.to_thread(file.close)
            await asyncio.to_thread(_move, temporary, target)
        except BaseException:  # also when cancelled: half a file is no use to anybody
            temporary.unlink(missing_ok=True)
            raise

    async def public_file(self, name: str) -> PublicFile | None:
        """The public object of that name; None for any other name, whatever it tries."""
        content_type = _TYPES.get(name[name.rfind(".") :])
        if content_type is None or not _NAME.fullmatch(name):
            return None
        path = self._path(f"{Area.PUBLIC}/{name}")
        size = await asyncio.to_thread(_size, path)
        return None if size is None else PublicFile(path, size, content_type)

    async def size(self, key: str) -> int | None:
        return await asyncio.to_thread(_size, self._path(key))

    @asynccontextmanager
    async def local_copy(self, key: str) -> AsyncGenerator[Path]:
        path = self._path(key)
        if await asyncio.to_thread(_size, path) is None:
            raise FileNotFoundError(key)
        yield path

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        await asyncio.to_thread(self._write, self._path(key), lambda file: file.write(data))

    async def put_file(self, key: str, file: IO[bytes], content_type: str) -> None:
        await asyncio.to_thread(
            self._write, self._path(key), lambda target: shutil.copyfileobj(file, target, CHUNK_BYTES)
        )

    async def copy(self, source: str, target: str) -> None:
        await asyncio.to_thread(self._copy, self._path(source), self._path(target))

    async def delete(self, keys: Iterable[str]) -> None:
        await asyncio.to_thread(_remove, [self._path(key) for key in keys])

    async def prune_incoming(self, older_than: timedelta) -> None:
        before = time.time() - older_than.total_seconds()
        for folder in (self._root / Area.INCOMING, self._temporary):
            await asyncio.to_thread(_prune, folder, before)

    def _path(self, key: str) -> Path:
        area, _, name = key.partition("/")
        if area not in set(Area) or not _NAME.fullmatch(name):
            raise ValueError(f"not a key of the store: {key!r}")
        # A folder per two letters keeps folders small; names are random, so they fill evenly.
        return self._root / area / name[:2] / name

    def _new_temporary(self) -> Path:
        return self._temporary / secrets.token_hex(16)

    def _copy(self, source: Path, target: Path) -> None:
        with source.open("rb") as original:
            self._write(target, lambda file: shutil.copyfileobj(original, file, CHUNK_BYTES))

    def _write(self, target: Path, fill: Callable[[BinaryIO], object]) -> None:
        temporary = self._new_temporary()
        try:
            with temporary.open("xb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            _move(temporary, target)
        except BaseException:  # also when cancelled: half a file is no use to anybody
            temporary.unlink(missing_ok=True)
            raise


async def read_chunks(path: Path) -> AsyncGenerator[bytes]:
    """The file in chunks, each read in a thread."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk
    finally:
        file.close()


async def _write_exactly(file: BinaryIO, size: int, chunks: AsyncIterable[bytes]) -> None:
    pending = bytearray()
    total = 0
    async for chunk in chunks:
        total += len(chunk)
        if total > size:
            raise BodyTooLarge
        pending += chunk
        if len(pending) >= CHUNK_BYTES:
            await asyncio.to_thread(file.write, pending)
            pending = bytearray()
    if total != size:
        raise UploadLengthMismatch
    await asyncio.to_thread(file.write, pending)


def _move(temporary: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # or a power cut could undo the renaming
    finally:
        os.close(folder)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _prune(folder: Path, before: float) -> None:
    for path in folder.rglob("*"):
        try:
            if path.is_file() and path.stat().st_mtime < before:
                path.unlink()
        except FileNotFoundError:
            continue  # somebody else took it away at this moment
