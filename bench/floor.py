"""The floor: a bare ASGI function that runs recorded statements on asyncpg and returns recorded bytes. No framework.

`uvicorn bench.floor:app` with MEMI_BENCH_PLAN (a file of `plan.encode`) and MEMI_DATABASE_URL.
"""

import os
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from uuid_utils.compat import uuid7

from bench.plan import Answer, decode

_ANSWERS = decode(Path(os.environ["MEMI_BENCH_PLAN"]).read_bytes())
_POOL_SIZE = int(os.environ.get("MEMI_HOT_POOL", "10"))


class SentMessage(msgspec.Struct):
    body: str
    client_id: str


_decode = msgspec.json.Decoder(SentMessage).decode
_by_path: dict[bytes, Answer] = {answer.path.encode(): answer for answer in _ANSWERS}
_pools: dict[bool, asyncpg.Pool] = {}
"""As memi has them: one whose statements keep their plan, one that plans for each value."""


async def _keep(_connection: object) -> None:
    """As memi's own pool: nothing to reset."""


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Lifespan, GET and POST."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    query = scope["query_string"]
    target = scope["raw_path"] + b"?" + query if query else scope["raw_path"]
    answer = _by_path.get(target)
    if answer is None:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    if scope["method"] == "POST":
        await _send_message(answer, receive)
        status = 201
    else:
        for statement in answer.statements:
            async with _pools[statement.by_value].acquire() as connection:
                await connection.fetch(statement.sql, *statement.arguments)
        status = 200
    body = answer.body
    headers = [(b"content-type", answer.content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send_message(answer: Answer, receive: Any) -> None:
    message = _decode((await receive())["body"])
    fresh = {"new:id": uuid7(), "new:body": message.body, "new:client_id": message.client_id}
    async with _pools[False].acquire() as connection:
        for statement in answer.statements:
            arguments = [fresh.get(item, item) if isinstance(item, str) else item for item in statement.arguments]
            await connection.fetch(statement.sql, *arguments)


async def _lifespan(receive: Any, send: Any) -> None:
    await receive()
    for by_value, mode in ((False, "auto"), (True, "force_custom_plan")):
        _pools[by_value] = await asyncpg.create_pool(
            os.environ["MEMI_DATABASE_URL"],
            min_size=_POOL_SIZE,
            max_size=_POOL_SIZE,
            reset=_keep,
            server_settings={"plan_cache_mode": mode, "jit": "off"},
        )
    await send({"type": "lifespan.startup.complete"})
    await receive()
    for pool in _pools.values():
        await pool.close()
    await send({"type": "lifespan.shutdown.complete"})
