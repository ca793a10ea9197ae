"""Proving oneself anew for what is dangerous: the session goes on under new tokens, and the old ones are dead."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth import lockout, mfa_proof, mfa_queries, queries
from memi.auth.device import Device
from memi.auth.mfa_errors import NoSecondFactor, SecondFactorNeeded, SignInAgain, WrongCode, WrongPassword
from memi.auth.passwords import PasswordHasher
from memi.auth.policy import AuthPolicy
from memi.auth.schemas import Transport
from memi.auth.sessions import Issued, end_sessions, open_session
from memi.platform.errors import InvalidToken
from memi.platform.principal import Principal
from memi.platform.runtime import Runtime
from memi.users import service as users

Proved = tuple[Issued, datetime]
"""The session's successor, and until when it counts as proved."""


async def by_code(runtime: Runtime, caller: Principal, code: str, device: Device) -> Proved:
    """Prove it by the second factor; raises `NoSecondFactor`, `WrongCode`, `TooManyAttempts`."""
    async with mfa_proof.attempt(runtime, caller.user_id), runtime.unit_of_work() as session:
        if not await queries.has_second_factor(session, caller.user_id):
            raise NoSecondFactor
        if not await mfa_proof.spend(session, runtime.key_ring, caller.user_id, code):
            raise WrongCode
        return await _succeed(session, runtime, caller, device, mfa=True)


async def by_password(runtime: Runtime, caller: Principal, password: str, device: Device) -> Proved:
    """Prove it by the password; raises `SecondFactorNeeded` where there is one.

    Also `SignInAgain`, `WrongPassword`, `TooManyAttempts`.
    """
    async with runtime.unit_of_work() as session:
        await _require_no_factor(session, caller.user_id)
        account = await users.get(session, caller.user_id)
        seen, email = account.password_hash, account.email
    if seen is None:
        raise SignInAgain
    subject = lockout.subject_of_address(runtime.key_ring, email)
    async with lockout.attempt(runtime, subject):
        # Nothing is open while the password is verified: that takes long.
        matches, _ = await runtime.adapters.get(PasswordHasher).verify(password, seen)
        if not matches:
            await lockout.failed(runtime, subject)
            raise WrongPassword
    async with runtime.unit_of_work() as session:
        user = await users.lock(session, caller.user_id)
        if user.password_hash != seen:
            raise WrongPassword  # it was changed meanwhile
        await _require_no_factor(session, user.id)
        await lockout.succeeded(session, subject)
        return await _succeed(session, runtime, caller, device, mfa=False)


async def _require_no_factor(session: AsyncSession, user_id: UUID) -> None:
    if await queries.has_second_factor(session, user_id):
        raise SecondFactorNeeded


async def _succeed(session: AsyncSession, runtime: Runtime, caller: Principal, device: Device, *, mfa: bool) -> Proved:
    """Put a new session in the place of the caller's, for who holds only its old tokens proved nothing."""
    user = await users.lock(session, caller.user_id)
    old = await mfa_queries.own_session(session, caller.session_id)
    if old is None or old.revoked_at is not None or old.epoch != user.epoch:
        raise InvalidToken
    transport: Transport = "cookie" if old.transport == "cookie" else "token"
    policy = runtime.adapters.get(AuthPolicy)
    await end_sessions(session, user.id, old.id, "proved_anew")
    issued = await open_session(session, policy, user, device, transport, mfa=mfa)
    return issued, await queries.database_now(session) + policy.step_up
