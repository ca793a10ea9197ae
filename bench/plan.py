"""What a scenario asks and which statements answer it, recorded from memi itself, so that the floor runs the same."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import msgspec

from memi.platform.database import Database
from memi.platform.hot_pool import HotPool


class Statement(msgspec.Struct):
    """One statement with its arguments, and whether it runs where statements are planned for each value."""

    sql: str
    arguments: list[Any]
    by_value: bool


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


class Recorder:
    """What ran on the hot pools since `clear`."""

    def __init__(self, database: Database) -> None:
        self.seen: list[Statement] = []
        self._watch(database.hot, by_value=False)
        self._watch(database.hot_by_value, by_value=True)

    def _watch(self, pool: HotPool, *, by_value: bool) -> None:
        fetch = pool.fetch

        async def recorded(sql: str, *arguments: object) -> list[Any]:
            self.seen.append(Statement(sql, list(arguments), by_value))
            return await fetch(sql, *arguments)

        pool.fetch = recorded  # every holder of this pool goes through it from now on


async def record(client: httpx.AsyncClient, recorder: Recorder, method: str, path: str, **options: Any) -> Answer:
    """Ask memi, warm; raises when it refuses, because a benchmark of refusals measures nothing."""
    await client.get("/api/v1/listings?limit=1")  # whatever a process reads now and then is read now
    recorder.seen.clear()
    reply = await client.request(method, path, **options)
    if reply.status_code not in (200, 201):
        raise RuntimeError(f"{method} {path}: {reply.status_code} {reply.text[:500]}")
    return Answer(path, list(recorder.seen), reply.content, reply.headers["content-type"])


_MARKS = {"new:id": "gen_random_uuid()", "new:client_id": "gen_random_uuid()::text", "new:body": "'Hello'"}


def literal(value: Any) -> str:
    """`value` as SQL, for pgbench, which has no arguments of its own."""
    if isinstance(value, str) and value in _MARKS:
        return _MARKS[value]
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
    # pgbench would take a colon and a word for a variable of its own.
    return "E'" + str(value).replace("\\", "\\\\").replace("'", "''").replace(":", "\\x3a") + "'"


async def inlined(statement: Statement, connection: "asyncpg.Connection[Any]") -> str:
    """The statement on one line with its arguments in place, as the types the server expects."""
    sql = " ".join(statement.sql.split())
    kinds = (await connection.prepare(statement.sql)).get_parameters()
    for number in range(len(kinds), 0, -1):
        value = literal(statement.arguments[number - 1])
        sql = sql.replace(f"${number}", f"CAST({value} AS {kinds[number - 1].name})")
    return sql


def encode(answers: Sequence[Answer]) -> bytes:
    """A plan file for the floor, arguments of whatever type as they are."""
    return pickle.dumps(list(answers))


def decode(plan: bytes) -> list[Answer]:
    """What `encode` was given."""
    return pickle.loads(plan)
