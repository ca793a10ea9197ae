"""The ZIP of everything that is known of a person, written as it is read: memory holds one page at a time."""

import asyncio
import zipfile
from datetime import datetime
from typing import IO
from uuid import UUID

import msgspec

from memi.platform.personal_data import Batch, Kind, PersonalDataRegistry
from memi.platform.unit_of_work import UnitOfWork

_INTRODUCTION = """\
Your data at memi
=================

Everything that memi keeps about you, as of {at:%Y-%m-%d %H:%M} UTC. Each file is JSON (UTF-8): a list of records, or a
single record. Times are UTC; amounts of money are in the currency's smallest unit. Of other people it holds
what was shown to you, and their names only.

"""
_NOTE = """
Not included: what would open your account (passwords, tokens, codes), which is stored as hashes or encrypted, and
notes of the staff in which other people may be named.
"""


async def write_archive(
    file: IO[bytes], registry: PersonalDataRegistry, unit_of_work: UnitOfWork, user_id: UUID, at: datetime
) -> None:
    """Write the whole ZIP into `file`. Each page is read in a unit of its own, so that no snapshot is held for long."""
    lines: list[str] = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for kind in registry.kinds():
            count = await _write_kind(archive, kind, unit_of_work, user_id)
            records = "" if kind.single else f" ({count} record{'' if count == 1 else 's'})"
            lines.append(f"{kind.name}.json{records}\n    {kind.about}\n")
        text = _INTRODUCTION.format(at=at) + "\n".join(lines) + _NOTE
        await asyncio.to_thread(archive.writestr, "README.txt", text)


async def _write_kind(archive: zipfile.ZipFile, kind: Kind, unit_of_work: UnitOfWork, user_id: UUID) -> int:
    """How many records it has."""
    count = 0
    after: object = None
    # Its size is not known before it is written, so that room is left for a large one.
    with archive.open(f"{kind.name}.json", "w", force_zip64=True) as member:
        if not kind.single:
            member.write(b"[")
        while True:
            async with unit_of_work() as session:
                batch = await kind.page(session, user_id, after)
            # Encoding and deflating take their time, away from the loop.
            await asyncio.to_thread(_put, member, batch, first=count == 0)
            count += len(batch.records)
            after = batch.following
            if after is None:
                break
        member.write(b"\n" if kind.single else b"\n]\n")
    return count


def _put(member: IO[bytes], batch: Batch, *, first: bool) -> None:
    for number, record in enumerate(batch.records):
        member.write(b"\n" if first and number == 0 else b",\n")
        member.write(msgspec.json.encode(record))
