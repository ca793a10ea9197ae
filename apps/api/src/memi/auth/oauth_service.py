"""Signing in with other providers: a trip there and back, and what it may do to accounts here."""

from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_urlsafe
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth import oauth_queries as queries
from memi.auth.mails import MailKind, request_mail
from memi.auth.oauth_errors import (
    AlreadyLinked,
    CallbackRefused,
    End,
    InvalidOAuthCode,
    InvalidOAuthState,
    LastSignInMethod,
    ProviderUnavailable,
)
from memi.auth.oauth_models import ExternalIdentity
from memi.auth.oauth_providers import Provider, Providers, Trip
from memi.auth.oauth_schemas import Identities, IdentityRead, Newcomer, Returned, newcomer
from memi.auth.tokens import hash_token
from memi.platform import clock
from memi.platform.errors import NotFound, ValidationFailed
from memi.platform.keyring import Unsealable
from memi.platform.runtime import Runtime
from memi.users import service as users
from memi.users.errors import EmailTaken, NotVerified
from memi.users.models import User

log = structlog.get_logger(__name__)
FLOW = timedelta(minutes=10)
RESULT = timedelta(seconds=60)
_SEALED = "oauth-flow"
_DENIED = frozenset({"access_denied", "user_cancelled_authorize", "interaction_required", "consent_required"})
_BUSY = frozenset({"server_error", "temporarily_unavailable"})


class _Secrets(msgspec.Struct):
    """What of a trip is kept sealed until it ends."""

    nonce: str
    verifier: str
    challenge: str | None


@dataclass(frozen=True)
class Flow:
    """A trip that has come back to the browser which began it."""

    redirect_to: str
    session_id: UUID | None
    nonce: str
    verifier: str
    bound_to: bytes


def redirect_target(providers: Providers, asked: str | None) -> str:
    """Where a trip will end; raises `ValidationFailed` for an address that is not allowed."""
    if asked is None:
        return providers.redirects[0]
    if asked not in providers.redirects:
        raise ValidationFailed.of("/redirect_to", "unknown_value", "Signing in may not lead back to this address.")
    return asked


def ending(provider: Provider, redirect_to: str, **outcome: str) -> str:
    """The address that a trip ends at: the front end's, with what came of it."""
    parameters = urlencode({**outcome, "provider": provider.name})
    return f"{redirect_to}{'&' if urlsplit(redirect_to).query else '?'}{parameters}"


async def begin(
    runtime: Runtime,
    provider: Provider,
    redirect_to: str,
    browser: str,
    *,
    challenge: str | None = None,
    session_id: UUID | None = None,
) -> str:
    """Begin a trip in the browser that holds the secret `browser`; its first address. Raises `ProviderUnavailable`.

    With `session_id` it links what it finds to that session's account instead of signing in.
    """
    trip = Trip(token_urlsafe(32), token_urlsafe(32), token_urlsafe(48))
    try:
        url = await provider.authorization_url(trip)
    except ProviderUnavailable as failure:
        _log_unavailable(provider, failure)
        raise
    secrets = msgspec.json.encode(_Secrets(trip.nonce, trip.verifier, challenge))
    async with runtime.unit_of_work() as session:
        await queries.begin_flow(
            session,
            FLOW,
            provider=provider.name,
            state_hash=hash_token(trip.state),
            browser_hash=hash_token(browser),
            sealed=runtime.key_ring.seal(_SEALED, secrets),
            redirect_to=redirect_to,
            session_id=session_id,
        )
    return url


async def claim(runtime: Runtime, provider: Provider, state: str, browser: str) -> Flow:
    """The trip that comes back, which is over from now on, whatever comes of it; raises `InvalidOAuthState`."""
    async with runtime.unit_of_work() as session:
        flow = await queries.claim_flow(session, provider.name, hash_token(state), hash_token(browser))
        if flow is None:
            raise InvalidOAuthState
        try:
            secrets = msgspec.json.decode(runtime.key_ring.unseal(_SEALED, flow.sealed), type=_Secrets)
        except Unsealable:
            raise InvalidOAuthState from None
        bound_to = flow.browser_hash if secrets.challenge is None else urlsafe_b64decode(f"{secrets.challenge}=")
        return Flow(flow.redirect_to, flow.session_id, secrets.nonce, secrets.verifier, bound_to)


async def finish(runtime: Runtime, provider: Provider, flow: Flow, returned: Returned) -> str:
    """The address that the trip ends at. Nothing is open while the provider is asked."""
    try:
        outcome = await _outcome(runtime, provider, flow, returned)
    except CallbackRefused as refusal:
        log.warning("oauth_callback_refused", provider=provider.name, reason=str(refusal))
        outcome = End.INVALID_CALLBACK
    except ProviderUnavailable as failure:
        _log_unavailable(provider, failure)
        outcome = End.PROVIDER_UNAVAILABLE
    except EmailTaken:
        outcome = End.LINK_REQUIRED  # somebody registered it in this very moment
    return ending(provider, flow.redirect_to, **({"error": outcome} if isinstance(outcome, End) else outcome))


def _log_unavailable(provider: Provider, failure: ProviderUnavailable) -> None:
    log.warning("oauth_provider_unavailable", provider=provider.name, reason=failure.reason)


async def _outcome(runtime: Runtime, provider: Provider, flow: Flow, returned: Returned) -> dict[str, str] | End:
    who = await _who(provider, flow, returned)
    if isinstance(who, End):
        return who
    async with runtime.unit_of_work() as session:
        if flow.session_id is not None:
            return await _link(session, flow.session_id, who)
        return await _sign_in(session, flow, who)


async def _who(provider: Provider, flow: Flow, returned: Returned) -> Newcomer | End:
    await provider.check_sender(returned.iss)
    if returned.error is not None:
        if returned.error in _DENIED:
            return End.ACCESS_DENIED
        return End.PROVIDER_UNAVAILABLE if returned.error in _BUSY else End.INVALID_CALLBACK
    if returned.code is None:
        raise CallbackRefused("no code")
    claims = await provider.redeem(returned.code, flow.verifier, flow.nonce)
    return newcomer(provider.name, claims, returned.user)


async def _sign_in(session: AsyncSession, flow: Flow, who: Newcomer) -> dict[str, str] | End:
    """A one-time code for the account of who came; raises `EmailTaken`."""
    await queries.lock_subject(session, who.provider, who.subject)
    user = await _account(session, who)
    if isinstance(user, End):
        return user
    if user.deleted_at is not None:
        return End.ACCOUNT_DELETED
    if user.is_blocked:
        return End.ACCOUNT_BLOCKED
    code = token_urlsafe(32)
    await queries.keep_result(session, RESULT, code_hash=hash_token(code), bound_to=flow.bound_to, user_id=user.id)
    return {"code": code}


async def _account(session: AsyncSession, who: Newcomer) -> User | End:
    """The account that who came is known by, or a new one. One that only has the same address is nobody's proof."""
    known = await queries.identity(session, who.provider, who.subject)
    if known is not None:
        return (await users.get_many(session, [known.user_id]))[known.user_id]
    if who.email is None:
        return End.EMAIL_NOT_VERIFIED
    namesake = await users.find_by_email(session, who.email)
    if namesake is not None:
        return End.LINK_REQUIRED if namesake.deleted_at is None else End.ACCOUNT_DELETED
    user = await users.create(
        session, email=who.email, name=who.name, password_hash=None, locale=who.locale, verified_at=clock.now()
    )
    _attach(session, user.id, who)
    return user


async def _link(session: AsyncSession, session_id: UUID, who: Newcomer) -> dict[str, str] | End:
    """Have who came sign in to the account of a session as well."""
    await queries.lock_subject(session, who.provider, who.subject)
    user = await queries.owner_of_session(session, session_id)
    if user is None:
        return End.SESSION_ENDED
    if user.email_verified_at is None or who.email is None:
        return End.EMAIL_NOT_VERIFIED
    known = await queries.identity(session, who.provider, who.subject)
    if known is not None:
        return {"linked": who.provider} if known.user_id == user.id else End.IDENTITY_TAKEN
    if any(other.provider == who.provider for other in await queries.identities(session, user.id)):
        return End.ALREADY_LINKED
    _attach(session, user.id, who)
    await request_mail(session, MailKind.PROVIDER_LINKED, user.id, provider=who.provider.capitalize())
    return {"linked": who.provider}


def _attach(session: AsyncSession, user_id: UUID, who: Newcomer) -> None:
    session.add(ExternalIdentity(user_id=user_id, provider=who.provider, subject=who.subject, email=who.email))


async def redeem(session: AsyncSession, code: str, proof: str) -> User:
    """Whom a one-time code signs in, for who shows what it is bound to; raises `InvalidOAuthCode`."""
    user_id = await queries.claim_result(session, hash_token(code), hash_token(proof))
    user = None if user_id is None else (await users.get_many(session, [user_id])).get(user_id)
    if user is None or user.deleted_at is not None:
        raise InvalidOAuthCode
    return user


async def may_link(session: AsyncSession, user_id: UUID, provider: Provider) -> None:
    """Raises `NotVerified` for an account whose address is not proved, `AlreadyLinked`.

    An unproved address may be somebody else's, who comes to claim the account later: nobody must have left themselves
    a way back in.
    """
    user = await users.get(session, user_id)
    if user.email_verified_at is None:
        raise NotVerified
    if any(known.provider == provider.name for known in await queries.identities(session, user_id)):
        raise AlreadyLinked


async def unlink(session: AsyncSession, providers: Providers, user_id: UUID, provider: str) -> None:
    """Raises `NotFound` when nothing is linked, `LastSignInMethod` when its owner could not sign in any more."""
    user = await users.lock(session, user_id)
    linked = {known.provider: known for known in await queries.identities(session, user_id)}
    if provider not in linked:
        raise NotFound
    if user.password_hash is None and not any(other in providers.names for other in linked if other != provider):
        raise LastSignInMethod
    await session.delete(linked[provider])
    await request_mail(session, MailKind.PROVIDER_UNLINKED, user_id, provider=provider.capitalize())


async def list_identities(session: AsyncSession, providers: Providers, user_id: UUID) -> Identities:
    found = await queries.identities(session, user_id)
    return Identities([IdentityRead(known.provider, known.email, known.created_at) for known in found], providers.names)
