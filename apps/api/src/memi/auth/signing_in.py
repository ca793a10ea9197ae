"""Signing up and in: who it is gets proved here, then a session is opened or a second factor asked for."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth import appeal_tickets, lockout, opening_queries, queries
from memi.auth.device import Device
from memi.auth.errors import AccountBlocked, InvalidCredentials
from memi.auth.mails import MailKind, request_mail
from memi.auth.models import MfaChallenge
from memi.auth.policy import AuthPolicy
from memi.auth.schemas import Login, MfaRequired, Registration, Transport
from memi.auth.sessions import Issued, open_session
from memi.auth.tokens import hash_token, new_refresh_token
from memi.platform.adapters import Adapters
from memi.platform.runtime import Runtime
from memi.users import service as users
from memi.users.models import User
from memi.users.schemas import UserRead

CHALLENGE_SECONDS = 300
Entered = tuple[UserRead, Issued]
"""Who is signed in now, and with what."""


async def register(
    session: AsyncSession, policy: AuthPolicy, data: Registration, password_hash: str, device: Device
) -> Entered:
    """Make an account, sign it in, and mail a link to prove its address; raises `EmailTaken`."""
    user = await users.create(
        session, email=data.email, name=data.name, password_hash=password_hash, city=data.city, locale=data.locale
    )
    await request_mail(session, MailKind.VERIFY_EMAIL, user.id)
    return users.to_read(user), await open_session(session, policy, user, device, data.transport)


async def login(runtime: Runtime, session: AsyncSession, data: Login, device: Device) -> Entered | MfaRequired:
    """Sign in; raises `InvalidCredentials`, after the same work whether the address is known or not.

    Wrong passwords in a row make the next one wait: `TooManyAttempts`, for an unknown address just the same.
    Nothing is open while the password is verified, and `session` is not used before: that takes long, and a crowd
    signing in would keep every connection from everybody else.
    """
    email = data.email.lower()
    subject = lockout.subject_of_address(runtime.key_ring, email)
    async with lockout.password_attempt(runtime, subject) as turn:
        found = await runtime.database.hot.run(opening_queries.CREDENTIALS, email=email)
        stored, epoch = found[0] if found else (None, None)
        matches, better_hash = await turn.verify(data.password.get_secret_value(), stored)
        if not matches:
            await lockout.failed(runtime, subject)
            raise InvalidCredentials
    account = await opening_queries.account(session, email)
    if account is None or account[0].epoch != epoch:
        raise InvalidCredentials  # what was verified was taken back meanwhile
    user, has_factor = account
    await lockout.succeeded(session, subject)
    if better_hash is not None and user.password_hash == stored:
        await users.set_password_hash(session, user.id, better_hash)
    return await _go_on(session, runtime.adapters, user, device, data.transport, has_factor=has_factor)


async def first_factor_proved(
    session: AsyncSession, adapters: Adapters, user: User, device: Device, transport: Transport
) -> Entered | MfaRequired:
    """Go on from a provider that was right: signed in, or asked for the second factor that is set up.

    Raises `AccountBlocked`.
    """
    has_factor = await queries.has_second_factor(session, user.id)
    return await _go_on(session, adapters, user, device, transport, has_factor=has_factor)


async def _go_on(
    session: AsyncSession, adapters: Adapters, user: User, device: Device, transport: Transport, *, has_factor: bool
) -> Entered | MfaRequired:
    if user.is_blocked:
        raise AccountBlocked(appeal_token=await appeal_tickets.issue(session, user.id))
    if has_factor:
        return await _challenge(session, user, transport)
    opened = await open_session(session, adapters.get(AuthPolicy), user, device, transport)
    return users.to_read(user), opened


async def _challenge(session: AsyncSession, user: User, transport: Transport) -> MfaRequired:
    token = new_refresh_token()
    now = await queries.database_now(session)
    session.add(
        MfaChallenge(
            token_hash=hash_token(token),
            user_id=user.id,
            epoch=user.epoch,
            transport=transport,
            expires_at=now + timedelta(seconds=CHALLENGE_SECONDS),
        )
    )
    return MfaRequired(True, token, CHALLENGE_SECONDS, ["totp", "recovery_code"])
