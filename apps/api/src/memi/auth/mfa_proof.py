"""Whether a code proves the second factor: of the app, each time step once, or a recovery code, each once."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth import lockout, mfa_queries, queries
from memi.auth.mails import MailKind, request_mail
from memi.auth.mfa_codes import app_code, hash_recovery_code, is_recovery_code
from memi.auth.mfa_errors import WrongCode
from memi.auth.models import TotpFactor
from memi.auth.totp import step_of
from memi.platform.keyring import KeyRing
from memi.platform.runtime import Runtime

_PURPOSE = "totp"


def seal(ring: KeyRing, secret: str) -> bytes:
    return ring.seal(_PURPOSE, secret.encode())


@asynccontextmanager
async def attempt(runtime: Runtime, user_id: UUID) -> AsyncGenerator[None]:
    """Look at one code for an account: a `WrongCode` that leaves the block makes the next ones wait ever longer.

    Raises `TooManyAttempts` while they must.
    """
    subject = lockout.subject_of_codes(runtime.key_ring, user_id)
    async with lockout.attempt(runtime, subject):
        try:
            yield
        except WrongCode:
            await lockout.failed(runtime, subject)
            raise


async def step_shown(session: AsyncSession, ring: KeyRing, factor: TotpFactor, code: str) -> int | None:
    """The time step that `code` shows the app to be at, by the database's clock; None for any other code."""
    digits = app_code(code)
    if digits is None:
        return None
    secret = ring.unseal(_PURPOSE, factor.secret).decode()
    return step_of(secret, digits, await queries.database_now(session))


async def spend(session: AsyncSession, ring: KeyRing, user_id: UUID, code: str) -> bool:
    """Use `code` up; False when it is wrong, was used before, or the account has no confirmed factor.

    A secret that an older key sealed is sealed anew, so that old keys can leave the ring.
    """
    if not await _use_up(session, ring, user_id, code):
        return False
    await lockout.succeeded(session, lockout.subject_of_codes(ring, user_id))
    return True


async def _use_up(session: AsyncSession, ring: KeyRing, user_id: UUID, code: str) -> bool:
    factor = await mfa_queries.factor(session, user_id)
    if factor is None or factor.confirmed_at is None:
        return False
    if is_recovery_code(code):
        if not await mfa_queries.use_recovery_code(session, user_id, hash_recovery_code(code)):
            return False
        await request_mail(session, MailKind.RECOVERY_CODE_USED, user_id)
        return True
    step = await step_shown(session, ring, factor, code)
    if step is None:
        return False
    sealed = factor.secret
    if ring.sealed_by(sealed) != ring.active:
        sealed = ring.seal(_PURPOSE, ring.unseal(_PURPOSE, sealed))
    return await mfa_queries.use_step(session, user_id, factor.secret, step, sealed)
