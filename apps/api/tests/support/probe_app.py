"""An application of a few routes that misbehave on demand, behind the real gateway and on the real database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from litestar import Litestar, Response, get, post
from litestar.params import JSONBody
from pydantic import ConfigDict
from sqlalchemy import text

from memi.app import _Pydantic
from memi.platform.dependencies import (
    DEPENDENCIES,
    AnyRequest,
    App,
    Caller,
    Session,
    refuse_what_is_not_declared,
)
from memi.platform.gateway import Gateway
from memi.platform.problems import handle_exception
from memi.platform.request_state import state_of
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.platform.validation import RequestModel


class Note(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "hello"}]})

    text: str
    extra: Any = None


class Switchboard:
    """What the test tells the routes to wait for, and what they tell the test."""

    def __init__(self) -> None:
        self.attempts = 0
        self.bodies: list[str] = []
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()


async def keep(session: Session, name: str) -> None:
    await session.execute(text("INSERT INTO probe_notes (name) VALUES (:name)"), {"name": name})


@get("/large")
async def large() -> dict[str, str]:
    return {"text": "memi " * 400}


@get("/small")
async def small() -> dict[str, str]:
    return {"text": "memi"}


@get("/page")
async def page() -> Response[str]:
    return Response("<p>" + "memi " * 400, media_type="text/html")


@get("/cached")
async def cached() -> Response[dict[str, str]]:
    return Response(
        {"text": "memi"}, headers={"ETag": '"1"', "Cache-Control": "public, max-age=60", "Vary": "Accept-Language"}
    )


@get("/unchanged")
async def unchanged() -> Response[None]:
    return Response(None, status_code=304, headers={"ETag": '"1"', "Cache-Control": "public, max-age=60"})


@get("/broken")
async def broken() -> None:
    raise RuntimeError("the secret is hunter2")


@get("/broken-sql")
async def broken_sql(session: Session) -> None:
    await session.execute(text("SELECT hunter2 FROM nowhere"))


@post("/notes", status_code=200)
async def write_note(data: JSONBody[Note], session: Session) -> dict[str, str]:
    await keep(session, data.text)
    return {"text": data.text}


@post("/refused")
async def write_and_refuse(data: JSONBody[Note], session: Session) -> Response[dict[str, str]]:
    await keep(session, data.text)
    return Response({"text": data.text}, status_code=409)


@post("/doomed")
async def fail_at_commit(data: JSONBody[Note], session: Session, request: AnyRequest) -> dict[str, str]:
    """Its deferred constraint is checked by COMMIT, when the handler has long said yes."""
    state_of(request.scope).headers.append((b"set-cookie", b"sign-in=that never was"))
    await keep(session, data.text)
    await session.execute(text("INSERT INTO probe_children (parent) VALUES ('nobody')"))
    return {"text": data.text}


@post("/slow")
async def write_slowly(data: JSONBody[Note], session: Session) -> dict[str, str]:
    await keep(session, data.text)
    await session.execute(text("SELECT pg_sleep(30)"))
    return {"text": data.text}


@post("/slow-commit", status_code=200)
async def commit_slowly(data: JSONBody[Note], session: Session) -> dict[str, str]:
    """A deferred trigger makes COMMIT itself take longer than a request may."""
    await session.execute(text("INSERT INTO probe_slow (name) VALUES (:name)"), {"name": data.text})
    return {"text": data.text}


@get("/mine")
async def mine(caller: Caller) -> dict[str, str]:
    return {"id": str(caller.user_id)}


def conflicting(board: Switchboard) -> Any:
    @post("/conflicting", status_code=200)
    async def lock_in_the_other_order(data: JSONBody[Note], session: Session) -> dict[str, str]:
        board.attempts += 1
        board.bodies.append(data.text)
        await keep(session, data.text)
        await session.execute(text("SELECT FROM probe_locks WHERE id = 2 FOR UPDATE"))
        board.reached.set()
        await board.go_on.wait()
        await session.execute(text("SELECT FROM probe_locks WHERE id = 1 FOR UPDATE"))
        return {"text": data.text}

    @post("/hopeless", status_code=200)
    async def conflict_always(data: JSONBody[Note], session: Session) -> dict[str, str]:
        board.attempts += 1
        board.bodies.append(data.text)
        await keep(session, data.text)
        await session.execute(text("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$"))
        return {"text": data.text}

    return [lock_in_the_other_order, conflict_always]


@get("/pool")
async def pool_use(app: App) -> dict[str, int]:
    return {"checked_out": app.database.engine.pool.checkedout()}  # pyright: ignore[reportAttributeAccessIssue]


TABLES = """
CREATE TABLE probe_notes (name text);
CREATE TABLE probe_parents (name text PRIMARY KEY);
CREATE TABLE probe_children (parent text REFERENCES probe_parents DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE probe_slow (name text);
CREATE FUNCTION probe_sleep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.2); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER probe_slow_commit AFTER INSERT ON probe_slow
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION probe_sleep();
CREATE TABLE probe_locks (id int PRIMARY KEY);
INSERT INTO probe_locks VALUES (1), (2);
GRANT ALL ON probe_notes, probe_parents, probe_children, probe_slow, probe_locks TO PUBLIC;
"""


def build(runtime: Runtime, settings: Settings, board: Switchboard) -> Gateway:
    """The routes above behind a gateway with these settings."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        app.state.runtime = runtime
        yield

    app = Litestar(
        route_handlers=[
            large,
            small,
            page,
            cached,
            unchanged,
            broken,
            broken_sql,
            write_note,
            write_and_refuse,
            fail_at_commit,
            write_slowly,
            commit_slowly,
            mine,
            pool_use,
            *conflicting(board),
        ],
        lifespan=[lifespan],
        dependencies=DEPENDENCIES,
        exception_handlers={Exception: handle_exception},
        before_request=refuse_what_is_not_declared,
        request_max_body_size=settings.max_body_bytes,
        plugins=[_Pydantic()],
        openapi_config=None,
        logging_config=None,
    )
    app.state.runtime = runtime
    return Gateway(app, settings.model_copy(update={"web_origins": ("https://memi.az",)}))


def client_of(gateway: Gateway) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(gateway, raise_app_exceptions=False)  # pyright: ignore[reportArgumentType]
    return httpx.AsyncClient(transport=transport, base_url="http://test")
