"""Second factors: an authenticator app with recovery codes, from enrolment to removal, and signing in with them."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.audit import service as audit
from memi.auth import mfa_proof, mfa_queries, totp
from memi.auth.device import Device
from memi.auth.errors import AccountBlocked
from memi.auth.mails import MailKind, request_mail
from memi.auth.mfa_codes import hash_recovery_code, new_recovery_codes
from memi.auth.mfa_errors import InvalidMfaToken, MfaAlreadyEnrolled, MfaRequiredForStaff, NoSecondFactor, WrongCode
from memi.auth.mfa_schemas import Enrolment, MfaStatus, RecoveryCodes
from memi.auth.policy import AuthPolicy
from memi.auth.schemas import Transport
from memi.auth.sessions import end_all, end_others, open_session
from memi.auth.signing_in import Entered
from memi.auth.tokens import hash_token
from memi.platform.keyring import KeyRing
from memi.platform.permissions import STAFF
from memi.platform.principal import Principal
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from memi.platform.unit_of_work import adapters_of
from memi.users import service as users
from memi.users.errors import NotVerified
from memi.users.models import User

CHALLENGE_ATTEMPTS = 5


async def status(session: AsyncSession, caller: Principal) -> MfaStatus:
    """Whether the caller has a confirmed factor, and how many recovery codes are unspent."""
    factor = await mfa_queries.factor(session, caller.user_id)
    confirmed = factor is not None and factor.confirmed_at is not None
    left = await mfa_queries.recovery_codes_left(session, caller.user_id) if confirmed else 0
    return MfaStatus(confirmed, left, caller.may_only_enrol)


async def enrol(session: AsyncSession, ring: KeyRing, caller: Principal) -> Enrolment:
    """Begin with a new secret, in place of one that was never confirmed; raises `MfaAlreadyEnrolled`, `NotVerified`.

    Where addresses must be verified they must be before this: whoever registers somebody else's address must not be
    able to lock its owner out with a factor that no reset takes away.
    """
    user = await users.get(session, caller.user_id)
    if user.email_verified_at is None and adapters_of(session).get(Settings).require_verified_email:
        raise NotVerified
    secret = totp.new_secret()
    if not await mfa_queries.put_unconfirmed(session, user.id, mfa_proof.seal(ring, secret)):
        raise MfaAlreadyEnrolled
    return Enrolment(secret, totp.otpauth_uri(secret, user.email))


async def confirm(session: AsyncSession, ring: KeyRing, caller: Principal, code: str) -> RecoveryCodes:
    """Take the factor into use once its app shows a right code; other sessions end.

    Raises `NoSecondFactor`, `MfaAlreadyEnrolled`, `WrongCode`.
    """
    user = await users.lock(session, caller.user_id)
    factor = await mfa_queries.factor(session, user.id)
    if factor is None:
        raise NoSecondFactor
    if factor.confirmed_at is not None:
        raise MfaAlreadyEnrolled
    step = await mfa_proof.step_shown(session, ring, factor, code)
    if step is None or not await mfa_queries.confirm(session, user.id, factor.secret, step):
        raise WrongCode
    codes = await _new_codes(session, user)
    await end_others(session, user.id, caller.session_id, "second_factor_added")
    await mfa_queries.mark_shown(session, caller.session_id)
    await _tell(session, caller, user, MailKind.SECOND_FACTOR_ADDED, "mfa.enrol")
    return codes


async def remove(runtime: Runtime, caller: Principal, code: str) -> None:
    """Do without the factor, which proves itself a last time; other sessions end.

    Raises `NoSecondFactor`, `MfaRequiredForStaff`, `WrongCode`, `TooManyAttempts`.
    """
    async with mfa_proof.attempt(runtime, caller.user_id), runtime.unit_of_work() as session:
        user = await _with_factor(session, caller)
        if runtime.adapters.get(AuthPolicy).staff_need_mfa and STAFF & set(user.roles):
            raise MfaRequiredForStaff
        if not await mfa_proof.spend(session, runtime.key_ring, user.id, code):
            raise WrongCode
        await mfa_queries.remove(session, user.id)
        await end_others(session, user.id, caller.session_id, "second_factor_removed")
        await _tell(session, caller, user, MailKind.SECOND_FACTOR_REMOVED, "mfa.remove")


async def renew_recovery_codes(session: AsyncSession, caller: Principal) -> RecoveryCodes:
    """Ten new codes; the old ones work no more. Raises `NoSecondFactor`."""
    user = await _with_factor(session, caller)
    codes = await _new_codes(session, user)
    await _tell(session, caller, user, MailKind.RECOVERY_CODES_RENEWED, "mfa.renew_recovery_codes")
    return codes


async def reset(session: AsyncSession, user_id: UUID) -> None:
    """Take a lost factor away, and every session with it; whether it is really lost, staff found out before.

    Raises `NotFound`, `NoSecondFactor`.
    """
    user = await users.lock(session, user_id)
    if not await mfa_queries.remove(session, user.id):
        raise NoSecondFactor
    await end_all(session, user.id, "second_factor_reset")
    await request_mail(session, MailKind.SECOND_FACTOR_REMOVED, user.id)


async def finish_sign_in(runtime: Runtime, mfa_token: str, code: str, device: Device) -> Entered:
    """Open the session that a right password or provider began.

    Raises `InvalidMfaToken`, `WrongCode`, `TooManyAttempts`, `AccountBlocked`.
    """
    async with runtime.unit_of_work() as session:
        user_id = await mfa_queries.challenged(session, hash_token(mfa_token))
    if user_id is None:
        raise InvalidMfaToken
    async with mfa_proof.attempt(runtime, user_id):
        # A wrong code is counted on the challenge and committed, and only then refused.
        entered = await _show_factor(runtime, mfa_token, code, device)
        if entered is None:
            raise WrongCode
    return entered


async def _show_factor(runtime: Runtime, mfa_token: str, code: str, device: Device) -> Entered | None:
    async with runtime.unit_of_work() as session:
        found = await mfa_queries.lock_challenge(session, hash_token(mfa_token))
        if found is None:
            raise InvalidMfaToken
        challenge, user, now = found
        if challenge.used_at is not None or challenge.expires_at <= now or challenge.attempts >= CHALLENGE_ATTEMPTS:
            raise InvalidMfaToken
        if challenge.epoch != user.epoch or user.deleted_at is not None:
            raise InvalidMfaToken
        if user.is_blocked:
            raise AccountBlocked
        challenge.attempts += 1
        if not await mfa_proof.spend(session, runtime.key_ring, user.id, code):
            return None
        challenge.used_at = now
        transport: Transport = "cookie" if challenge.transport == "cookie" else "token"
        policy = runtime.adapters.get(AuthPolicy)
        return users.to_read(user), await open_session(session, policy, user, device, transport, mfa=True)


async def _with_factor(session: AsyncSession, caller: Principal) -> User:
    """The caller's account, locked; raises `NoSecondFactor` without a confirmed factor."""
    user = await users.lock(session, caller.user_id)
    factor = await mfa_queries.factor(session, user.id)
    if factor is None or factor.confirmed_at is None:
        raise NoSecondFactor
    return user


async def _new_codes(session: AsyncSession, user: User) -> RecoveryCodes:
    codes = new_recovery_codes()
    await mfa_queries.replace_recovery_codes(session, user.id, [hash_recovery_code(code) for code in codes])
    return RecoveryCodes(codes)


async def _tell(session: AsyncSession, caller: Principal, user: User, kind: MailKind, action: str) -> None:
    """Mail the owner, and write down what happened to the account of a member of staff."""
    await request_mail(session, kind, user.id)
    if STAFF & set(user.roles):
        await audit.record(session, caller, action, "USER", user.id)
