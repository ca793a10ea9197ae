"""Accounts: given back while their days last, erased when they are over."""

from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth import mail_tokens
from memi.auth.mail_tokens import Purpose
from memi.platform.jobs import recurring
from memi.platform.personal_data import PersonalDataRegistry
from memi.platform.runtime import Runtime
from memi.platform.unit_of_work import adapters_of
from memi.users import deletion

log = structlog.get_logger(__name__)


class ErasureIncomplete(Exception):
    """Some accounts could not be erased; the log says why. They are tried again."""


async def restore_by_token(session: AsyncSession, token: str) -> None:
    """Give the account back to who reads its mail; raises `InvalidMailToken`, `RestoreTooLate`."""
    _, user, _ = await mail_tokens.redeem(session, token, [Purpose.RESTORE_ACCOUNT])
    await deletion.restore(session, user.id)
    await mail_tokens.void(session, user.id, [Purpose.RESTORE_ACCOUNT])


async def erase(session: AsyncSession, user_id: UUID) -> bool:
    """Erase what every feature keeps of an account whose days are over; False when there is nothing to do."""
    user = await deletion.lock_erasable(session, user_id)
    if user is None:
        return False
    await adapters_of(session).get(PersonalDataRegistry).erase(session, user_id)
    await deletion.finish_erasure(session, user)
    return True


@recurring(timedelta(minutes=10))
async def erase_accounts(runtime: Runtime) -> None:
    """One transaction each: an account is erased whole or not at all, and one that fails holds up no other."""
    seen: set[UUID] = set()
    failed = 0
    while True:
        async with runtime.unit_of_work() as session:
            user_id = await deletion.next_erasable(session, seen)
        if user_id is None:
            break
        seen.add(user_id)
        try:
            async with runtime.unit_of_work() as session:
                if await erase(session, user_id):
                    log.info("account_erased", user_id=str(user_id))
        except Exception:
            # Told in the log here and by the job's failure below.
            log.exception("account_not_erased", user_id=str(user_id))
            failed += 1
    if failed:
        raise ErasureIncomplete(f"{failed} of {len(seen)} accounts")
