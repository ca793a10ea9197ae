"""Proving an address, changing it, and setting passwords."""

from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth import lockout, mail_queries, mail_tokens
from memi.auth.account_errors import AlreadyVerified, InvalidMailToken, PasswordNotSet
from memi.auth.account_schemas import EmailChange, PasswordChange, PasswordReset, VerifiedEmail
from memi.auth.mail_tokens import Purpose
from memi.auth.mails import MailKind, request_mail, request_reset
from memi.auth.mfa_errors import WrongPassword
from memi.auth.password_rules import require_good
from memi.auth.passwords import PasswordHasher
from memi.auth.sessions import end_all, end_others
from memi.platform.errors import ValidationFailed
from memi.platform.limits import Limit, RateLimited, count
from memi.platform.principal import Principal
from memi.platform.runtime import Runtime
from memi.users import service as users
from memi.users.errors import EmailTaken

_OF_ADDRESSES = frozenset({Purpose.VERIFY_EMAIL, Purpose.CHANGE_EMAIL})
_ALL_BUT_RESTORING = frozenset(Purpose) - {Purpose.RESTORE_ACCOUNT}


async def verify(session: AsyncSession, token: str) -> VerifiedEmail:
    """Take a mailed token as proof of its address; raises `InvalidMailToken`.

    Within the token's life a second use of what is in effect answers the same and changes nothing: people and mail
    scanners open links twice.
    """
    row, user, first = await mail_tokens.redeem(session, token, _OF_ADDRESSES, again=True)
    if not first:
        if user.email != row.email or user.email_verified_at is None:
            raise InvalidMailToken
    elif row.purpose == Purpose.CHANGE_EMAIL:
        old_email = user.email
        try:
            await users.set_email(session, user.id, row.email)
        except EmailTaken:
            raise InvalidMailToken from None
        await mail_tokens.void(session, user.id, _ALL_BUT_RESTORING, keep=row.id)
        await request_mail(session, MailKind.EMAIL_CHANGED, user.id, old_email=old_email, new_email=row.email)
    else:
        await users.mark_verified(session, user.id)
    return VerifiedEmail(user.id, row.email, True)


async def resend(session: AsyncSession, caller: Principal) -> None:
    """Mail the link once more, also to an address that refused mail since; raises `AlreadyVerified`."""
    user = await users.get(session, caller.user_id)
    if user.email_verified_at is not None and user.email_refused_at is None:
        raise AlreadyVerified
    await request_mail(session, MailKind.VERIFY_EMAIL, user.id)


async def request_change(runtime: Runtime, session: AsyncSession, caller: Principal, data: EmailChange) -> None:
    """Mail a link to the new address, and word of it to the old; the same whether the new one is taken.

    Raises `WrongPassword`, `TooManyAttempts`, or `ValidationFailed` for the address one has.
    """
    await _prove(runtime, caller, None if data.password is None else data.password.get_secret_value())
    user = await users.get(session, caller.user_id)
    new_email = data.email.lower()
    if new_email == user.email:
        raise ValidationFailed.of("/email", "unchanged", "Is the account's address already.")
    # A link that is still to be minted dies with those that were, when a new password throws out who asked for it.
    await request_mail(session, MailKind.CHANGE_EMAIL, user.id, epoch=user.epoch, new_email=new_email)
    await request_mail(session, MailKind.EMAIL_CHANGE_REQUESTED, user.id, old_email=user.email, new_email=new_email)


async def forgot_password(runtime: Runtime, session: AsyncSession, email: str) -> None:
    """Have a link mailed, if there is such an account; nothing that the caller sees or can time depends on it.

    Who is asked for more often than a mailbox should bear gets no further mail, and the caller no other answer.
    """
    try:
        await count(runtime, Limit.PASSWORD_RESET, account=lockout.subject_of_address(runtime.key_ring, email).hex())
    except RateLimited:
        return
    await request_reset(session, email)


async def reset_password(runtime: Runtime, session: AsyncSession, data: PasswordReset) -> None:
    """Set the password that a mailed token allows, and end every session; raises `InvalidMailToken`.

    The token proves the address too. It stands for the password alone: a second factor is still asked for.
    """
    token, password = data.token, data.password.get_secret_value()
    async with runtime.unit_of_work() as looking_up:
        _, seen = await mail_tokens.look(looking_up, token, (Purpose.RESET_PASSWORD,))
    require_good(password, email=seen.email, name=seen.name)
    # Nothing is open while it is hashed: that takes long.
    hashed = await runtime.adapters.get(PasswordHasher).hash(password)
    row, user, _ = await mail_tokens.redeem(session, token, (Purpose.RESET_PASSWORD,))
    if user.email_verified_at is None:
        # Nobody had proved the address until now: whoever made the account keeps no way in.
        await mail_queries.drop_identities(session, user.id)
    await users.mark_verified(session, user.id)
    await users.set_password_hash(session, user.id, hashed)
    await end_all(session, user.id, "password_reset")
    await mail_tokens.void(session, user.id, _ALL_BUT_RESTORING, keep=row.id)
    await lockout.succeeded(session, lockout.subject_of_address(runtime.key_ring, user.email))
    await request_mail(session, MailKind.PASSWORD_CHANGED, user.id)


async def change_password(runtime: Runtime, session: AsyncSession, caller: Principal, data: PasswordChange) -> None:
    """Set another password and end the other sessions.

    Raises `PasswordNotSet`, `WrongPassword`, `TooManyAttempts`, or `ValidationFailed` for a password the rules refuse.
    """
    password = data.password.get_secret_value()
    async with runtime.unit_of_work() as looking_up:
        seen = await users.get(looking_up, caller.user_id)
    if seen.password_hash is None:
        raise PasswordNotSet
    require_good(password, email=seen.email, name=seen.name)
    await _prove(runtime, caller, data.current_password.get_secret_value())
    hashed = await runtime.adapters.get(PasswordHasher).hash(password)
    user = await users.lock(session, caller.user_id)
    if user.password_hash != seen.password_hash:
        raise WrongPassword  # it was changed meanwhile
    await users.set_password_hash(session, user.id, hashed)
    await end_others(session, user.id, caller.session_id, "password_changed")
    await mail_tokens.void(session, user.id, _ALL_BUT_RESTORING - {Purpose.VERIFY_EMAIL})
    await lockout.succeeded(session, lockout.subject_of_address(runtime.key_ring, user.email))
    await request_mail(session, MailKind.PASSWORD_CHANGED, user.id)


async def _prove(runtime: Runtime, caller: Principal, password: str | None) -> None:
    """Hold `password` against the account's, if it has one; wrong ones count towards the lock-out of sign-in.

    Raises `WrongPassword`, `TooManyAttempts`, or `ValidationFailed` when it is missing.
    """
    async with runtime.unit_of_work() as session:
        user = await users.get(session, caller.user_id)
    if user.password_hash is None:
        return
    if password is None:
        raise ValidationFailed.of("/password", "required", "This field is required.")
    subject = lockout.subject_of_address(runtime.key_ring, user.email)
    async with lockout.attempt(runtime, subject):
        matches, _ = await runtime.adapters.get(PasswordHasher).verify(password, user.password_hash)
        if not matches:
            await lockout.failed(runtime, subject)
            raise WrongPassword
