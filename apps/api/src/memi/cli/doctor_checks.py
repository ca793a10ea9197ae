"""What `memi doctor` looks at, one finding after the other; none of it changes anything that lasts."""

import asyncio
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import asyncpg
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from memi import wiring
from memi.audit.chain_queries import sleeping_guards
from memi.media.store import Area, new_key, store_of
from memi.platform.errors import AppError
from memi.platform.grants import APPEND_ONLY
from memi.platform.health import Dependency, FeatureChecks
from memi.platform.job_queue import queue_depths
from memi.platform.keyring import load_key_ring
from memi.platform.limits import Limiter
from memi.platform.limits_valkey import Unreachable
from memi.platform.mail import mailer_of
from memi.platform.migrations import migrations_path
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any]
else:
    Connection = asyncpg.Connection
_OLDEST_SERVER = 160_000
_PATIENCE = 5.0
_LATE_JOBS = 600.0
_BROKEN = (OSError, TimeoutError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, AppError)


@dataclass(frozen=True)
class Finding:
    """What was found of one thing, and what helps where something is wrong. A warning lets memi run."""

    subject: str
    state: Literal["ok", "warning", "failed"]
    said: str
    advice: str | None = None


def keys(settings: Settings) -> Finding:
    """Raises `ConfigurationError`."""
    ring = load_key_ring(settings)
    said = f"{len(ring.kids)} in the ring, {ring.active} signs"
    path = settings.key_ring_file or settings.data_dir / "keys.json"
    if settings.key_ring is None and stat.S_IMODE(path.stat().st_mode) & 0o077:
        return Finding("keys", "warning", f"{said}; others may read {path}", f"chmod 600 {path}")
    return Finding("keys", "ok", said)


async def database(url: str) -> AsyncGenerator[Finding]:
    """The server, the schema, and what the service's role may do with what is only added to."""
    try:
        connection = await asyncpg.connect(url, timeout=_PATIENCE, command_timeout=_PATIENCE)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        yield Finding("database", "failed", _name(error), "Is PostgreSQL running, and is MEMI_DATABASE_URL right?")
        return
    try:
        version = connection.get_server_version()
        said = f"PostgreSQL {version.major}.{version.minor}"
        if version.major * 10_000 < _OLDEST_SERVER:
            yield Finding("database", "failed", said, "memi needs PostgreSQL 16 or later.")
            return
        yield Finding("database", "ok", said)
        current = await _migrations(connection)
        yield current
        if current.state == "ok":
            yield await _rights(connection)
            yield await _guards(connection)
    finally:
        await connection.close()


async def _migrations(connection: Connection) -> Finding:
    config = Config()
    config.set_main_option("script_location", str(migrations_path()))
    wanted = ScriptDirectory.from_config(config).get_current_head()
    table = await connection.fetchval("SELECT to_regclass('public.alembic_version')::text")
    found = None if table is None else await connection.fetchval("SELECT version_num FROM alembic_version")
    if found == wanted:
        return Finding("migrations", "ok", f"at {found}")
    return Finding("migrations", "failed", f"at {found or 'nothing'}, not {wanted}", "Run `memi migrate`.")


async def _rights(connection: Connection) -> Finding:
    """The triggers refuse it to the owner too, but an owner can take triggers away."""
    free = [
        table
        for table in APPEND_ONLY
        if await connection.fetchval("SELECT has_table_privilege(current_user, $1, 'UPDATE, DELETE, TRUNCATE')", table)
    ]
    if not free:
        return Finding("rights", "ok", f"the service can only add to {', '.join(APPEND_ONLY)}")
    return Finding(
        "rights",
        "warning",
        f"the service's role owns {', '.join(free)}",
        "Give the service a role of its own: MEMI_DATABASE_URL beside MEMI_MIGRATOR_DATABASE_URL.",
    )


async def _guards(connection: Connection) -> Finding:
    sleeping = await sleeping_guards(connection)
    if not sleeping:
        return Finding("audit log", "ok", "its guards stand; `memi doctor --audit` follows its chain")
    return Finding("audit log", "failed", f"without its guards {', '.join(sleeping)}", GUARDS_ADVICE)


GUARDS_ADVICE = "Somebody took them away: follow the chain (--audit), find out who, then ENABLE ALWAYS TRIGGER each."


async def parts(runtime: Runtime) -> AsyncGenerator[Finding]:
    """What the service works with besides the database."""
    yield await _attempt("storage", _store, runtime, "Is the data folder, or the store, there and writable?")
    yield await _attempt("mail", _mail, runtime, "Check MEMI_SMTP_URL; mail waits and is sent once the server answers.")
    yield await _attempt("limits", _limits, runtime, "Check MEMI_VALKEY_URL; until then each process counts alone.")
    for name, found in (await runtime.adapters.get(FeatureChecks).run()).items():
        yield _of_dependency(name, found)
    yield await _attempt("jobs", _jobs, runtime, "Is the database well?")


async def _attempt(
    subject: str, check: Callable[[Runtime], Awaitable[Finding]], runtime: Runtime, advice: str
) -> Finding:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await check(runtime)
    except _BROKEN as error:
        return Finding(subject, "failed", _name(error), advice)


async def _store(runtime: Runtime) -> Finding:
    store, key, data = store_of(runtime.adapters), new_key(Area.EXPORTS, ".txt"), b"memi doctor was here"
    await store.put(key, data, "text/plain")
    try:
        size = await store.size(key)
    finally:
        await store.delete([key])
    if size != len(data):
        raise OSError("what was written is not what is there")
    return Finding("storage", "ok", "writes, reads and deletes")


async def _mail(runtime: Runtime) -> Finding:
    found = await mailer_of(runtime.adapters).check()
    if not found.up:
        raise ConnectionError(found.detail or "no answer")
    where = "kept in the data folder" if runtime.settings.smtp_url is None else "the server answers"
    return Finding("mail", "ok", where)


async def _limits(runtime: Runtime) -> Finding:
    shared = runtime.adapters.get(Limiter).shared
    if shared is None:
        return Finding("limits", "ok", "each process counts for itself")
    try:
        await shared.ping()
    except Unreachable:
        raise ConnectionError("no answer") from None
    return Finding("limits", "ok", "counted together")


async def _jobs(runtime: Runtime) -> Finding:
    async with runtime.unit_of_work() as session:
        depths = await queue_depths(session)
    waiting, oldest = sum(count for count, _ in depths.values()), max((age for _, age in depths.values()), default=0.0)
    said = f"{waiting} wait, the oldest for {oldest:.0f} s"
    if oldest > _LATE_JOBS:
        return Finding("jobs", "warning", said, "Is a worker running (`memi worker`), and are there enough of them?")
    return Finding("jobs", "ok", said)


def _of_dependency(name: str, found: Dependency) -> Finding:
    if found.status in ("up", "off"):
        return Finding(name, "ok", "not configured" if found.status == "off" else found.detail or "answers")
    state: Literal["warning", "failed"] = "failed" if found.status == "down" else "warning"
    return Finding(name, state, found.detail or found.status, "See /health, and the settings of this service.")


async def everything(settings: Settings, url: str) -> AsyncGenerator[Finding]:
    """All of it; what needs a sound database is left out where there is none."""
    sound = True
    async for finding in database(url):
        sound = sound and finding.state != "failed"
        yield finding
    if sound:
        async with wiring.open_runtime(settings, url) as runtime:
            async for finding in parts(runtime):
                yield finding


def _name(error: BaseException) -> str:
    """In one line, without what a driver says of rows."""
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
