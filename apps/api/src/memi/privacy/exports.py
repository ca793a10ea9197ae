"""Exports: one at a time is made for a person, is theirs to fetch for some days, and then goes."""

import tempfile
from datetime import timedelta
from uuid import UUID

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth.mails import MailKind, request_mail
from memi.media.disposal import discard
from memi.media.store import Area, new_key, store_of
from memi.platform import clock
from memi.platform.errors import NotFound
from memi.platform.jobs import enqueue, job, recurring
from memi.platform.limits import Limit, count
from memi.platform.personal_data import PersonalDataRegistry
from memi.platform.runtime import Runtime
from memi.platform.unit_of_work import adapters_of
from memi.privacy import queries
from memi.privacy.archive import write_archive
from memi.privacy.models import DataExport
from memi.privacy.schemas import ExportRead

log = structlog.get_logger(__name__)
URL_LIFE = timedelta(minutes=10)
_IN_MEMORY = 1024 * 1024
"""Bytes; what is longer goes to a file without a name, which is gone with the process."""
_STALLED = timedelta(hours=1)
_BATCH = 100


class MakeExport(msgspec.Struct, frozen=True):
    export_id: UUID


async def ask(session: AsyncSession, runtime: Runtime, user_id: UUID) -> ExportRead:
    """The person's export as it stands; one is begun when there is none. Raises `RateLimited` for too many begun."""
    found = await queries.current(session, user_id)
    if found is None:
        export_id = await queries.add(session, user_id, new_key(Area.EXPORTS, ".zip"))
        if export_id is not None:
            await count(runtime, Limit.EXPORT, account=str(user_id))
            await _queue(session, export_id)
        found = await queries.current(session, user_id)
    if found is None:
        raise NotFound  # the account was deleted at this moment, and with it what another call had begun
    return _to_read(session, found)


def _to_read(session: AsyncSession, export: DataExport) -> ExportRead:
    url = None
    if export.status == "READY" and export.object_key is not None:
        filename = f"memi-{export.created_at:%Y-%m-%d}.zip"
        store = store_of(adapters_of(session))
        url = store.presign_get(export.object_key, filename, "application/zip", URL_LIFE)
    return ExportRead(
        status="READY" if url is not None else "PENDING",
        requested_at=export.created_at,
        url=url,
        size=export.size,
        expires_at=export.expires_at,
    )


async def _queue(session: AsyncSession, export_id: UUID) -> None:
    await enqueue(session, make_export, MakeExport(export_id), key=str(export_id))


@job(MakeExport)
async def make_export(payload: MakeExport, runtime: Runtime) -> None:
    """Write the file under the key that was named for it, then say that it is ready; run again, it does so again."""
    async with runtime.unit_of_work() as session:
        export = await queries.by_id(session, payload.export_id)
    if export is None or export.status != "PENDING" or export.object_key is None:
        return
    registry = runtime.adapters.get(PersonalDataRegistry)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, prefix="memi-export-") as file:
        await write_archive(file, registry, runtime.unit_of_work, export.user_id, clock.now())
        size = file.tell()
        file.seek(0)
        await store_of(runtime.adapters).put_file(export.object_key, file, "application/zip")
    async with runtime.unit_of_work() as session:
        await _finish(session, export, size, runtime.settings.export_days)


async def _finish(session: AsyncSession, made: DataExport, size: int, days: int) -> None:
    export = await queries.lock(session, made.id)
    if export is None or export.status == "EXPIRED":
        # The account went meanwhile, and nobody else knows of this file.
        await discard(session, [made.object_key or ""])
    elif export.status == "PENDING":
        await queries.mark_ready(session, export.id, size, days)
        await request_mail(session, MailKind.EXPORT_READY, export.user_id)


async def withdraw(session: AsyncSession, user_id: UUID) -> None:
    """Nobody fetches what was made for this person any more."""
    await _expire(session, await queries.lock_of(session, user_id))


async def _expire(session: AsyncSession, exports: list[DataExport]) -> None:
    await discard(session, [export.object_key for export in exports if export.object_key is not None])
    for export in exports:
        export.status, export.object_key = "EXPIRED", None
    await session.flush()


@recurring(timedelta(minutes=10))
async def expire_exports(runtime: Runtime) -> None:
    """Remove files whose days are over, and take up again what was left lying."""
    expired = _BATCH
    while expired == _BATCH:
        async with runtime.unit_of_work() as session:
            over = await queries.lock_over(session, _BATCH)
            await _expire(session, over)
            expired = len(over)
    async with runtime.unit_of_work() as session:
        for export_id in await queries.stalled(session, _STALLED, _BATCH):
            await _queue(session, export_id)
