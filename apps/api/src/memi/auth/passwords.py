"""Password hashes: argon2id made here, bcrypt accepted from imports; always on threads of their own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

R = TypeVar("R")
_BCRYPT_BYTES = 72


class PasswordHasher:
    """Hashes and verifies off the event loop; argon2 releases the interpreter lock, the pool bounds how many run."""

    def __init__(self, threads: int) -> None:
        self._hash = PasswordHash((Argon2Hasher(), BcryptHasher()))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        return await self._run(self._hash.hash, password)

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """(whether it matches, a new hash when the stored one is of an older kind). `stored` None costs the same."""
        if stored is None:
            if self._decoy is None:
                self._decoy = await self.hash("no account has this password")
            await self._run(self._verify, password, self._decoy)
            return False, None
        return await self._run(self._verify, password, stored)

    def _verify(self, password: str, stored: str) -> tuple[bool, str | None]:
        if stored.startswith("$2") and len(password.encode()) > _BCRYPT_BYTES:
            return False, None
        try:
            return self._hash.verify_and_update(password, stored)
        except UnknownHashError:
            return False, None

    async def _run(self, function: Callable[..., R], *arguments: str) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
