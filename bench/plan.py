"""What a scenario asks and which statements answer it, recorded from memi itself, so that the floor runs the same."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from memi.platform.hot_pool import HotPool
from memi.platform.runtime import Runtime


class Statement(msgspec.Struct):
    """One statement with its arguments; `types` are the arguments' PostgreSQL types, for the floor and pgbench."""

    sql: str
    arguments: list[Any]


class Answer(msgspec.Struct):
    """The bytes memi answered and the statements it ran for them, in order."""

    path: str
    statements: list[Statement]
    body: bytes
    content_type: str


@dataclass(frozen=True)
class Scenario:
    """Requests to fire in turn; `post` bodies are chat messages."""

    name: str
    answers: list[Answer]
    token_by_path: dict[str, str]
    sends: bool = False


class RecordingPool(HotPool):
    """The hot pool, remembering what ran."""

    def __init__(self, inner: HotPool) -> None:
        self._inner = inner
        self.seen: list[Statement] = []

    async def fetch(self, sql: str, *arguments: object) -> list[Any]:
        self.seen.append(Statement(sql, list(arguments)))
        return await self._inner.fetch(sql, *arguments)

    async def close(self) -> None:
        await self._inner.close()


async def record(client: httpx.AsyncClient, pool: RecordingPool, method: str, path: str, **options: Any) -> Answer:
    """Ask memi once; raises when it refuses, because a benchmark of refusals measures nothing."""
    pool.seen.clear()
    reply = await client.request(method, path, **options)
    if reply.status_code not in (200, 201):
        raise RuntimeError(f"{method} {path}: {reply.status_code} {reply.text[:500]}")
    return Answer(path, list(pool.seen), reply.content, reply.headers["content-type"])


def install(runtime: Runtime) -> RecordingPool:
    """Put a recording pool where the runtime's hot pool is."""
    pool = RecordingPool(runtime.database.hot)
    object.__setattr__(runtime.database, "hot", pool)
    return pool


def literal(value: Any) -> str:
    """`value` as SQL, for pgbench, which has no arguments of its own."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'"
    if isinstance(value, list | tuple):
        return f"ARRAY[{', '.join(literal(item) for item in value)}]"
    return "'" + str(value).replace("'", "''") + "'"


def inlined(statement: Statement) -> str:
    """The statement on one line with its arguments in place."""
    sql = " ".join(statement.sql.split())
    for number in range(len(statement.arguments), 0, -1):
        sql = sql.replace(f"${number}", literal(statement.arguments[number - 1]))
    return sql


def encode(answers: Sequence[Answer]) -> bytes:
    """A plan file for the floor."""
    return msgspec.msgpack.encode(list(answers), enc_hook=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, memoryview | bytearray):
        return base64.b64encode(value)
    raise TypeError(f"cannot record an argument of type {type(value).__name__}")
