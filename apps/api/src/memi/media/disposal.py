"""Deleting stored objects: queued with the change that made them useless, done after it, at least once."""

from collections.abc import Iterable

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from memi.media.store import store_of
from memi.platform.jobs import enqueue, job
from memi.platform.runtime import Runtime


class Objects(msgspec.Struct, frozen=True):
    keys: list[str]


@job(Objects)
async def delete_objects(payload: Objects, runtime: Runtime) -> None:
    """Remove the objects; those already gone are no error."""
    await store_of(runtime.adapters).delete(payload.keys)


async def discard(session: AsyncSession, keys: Iterable[str]) -> None:
    """Have `keys` deleted once this unit of work has committed."""
    listed = list(keys)
    if listed:
        await enqueue(session, delete_objects, Objects(listed))
