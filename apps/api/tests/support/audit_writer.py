"""A process that adds to the audit log as fast as it can: a database URL, a name, and how many times.

It begins once nobody holds the lock `START`, so that several begin together.
"""

import asyncio
import sys
from uuid import uuid4

import asyncpg

from support.audit_log import ADD

START = 4711


async def write(url: str, name: str, times: int) -> None:
    """One to three entries at a time; every fifth time nothing of it lasts."""
    connection = await asyncpg.connect(url)
    await connection.execute(f"SELECT pg_advisory_lock_shared({START})")
    for number in range(times):
        transaction = connection.transaction()
        await transaction.start()
        for part in range(1 + number % 3):
            await connection.fetchval(ADD, uuid4(), f"{name}-{number}-{part}")
        await (transaction.rollback() if number % 5 == 4 else transaction.commit())
    await connection.close()


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], sys.argv[2], int(sys.argv[3])))
