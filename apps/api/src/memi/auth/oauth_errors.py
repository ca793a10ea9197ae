"""Refusals of signing in with other providers, and the codes with which a trip to one ends without a sign-in."""

from enum import StrEnum

from memi.platform.errors import AppError


class ProviderNotConfigured(AppError):
    code, status, title = "provider_not_configured", 404, "This service does not sign in with that provider."


class ProviderUnavailable(AppError):
    code, status, title = "provider_unavailable", 503, "The provider does not answer as it should; try again later."

    def __init__(self, reason: str = "") -> None:
        super().__init__()
        self.reason = reason
        """For the log; the caller need not know whom we ask where."""


class InvalidOAuthState(AppError):
    code, status = "invalid_oauth_state", 400
    title = "This did not begin here, in this browser and lately, or it is over already. Begin again."


class InvalidOAuthCode(AppError):
    code, status, title = "invalid_oauth_code", 400, "The code is unknown, used, too old or another browser's."


class AlreadyLinked(AppError):
    code, status, title = "already_linked", 409, "An account of that provider is linked already; unlink it first."


class LastSignInMethod(AppError):
    code, status, title = "last_sign_in_method", 409, "Without it you could not sign in any more: set a password first."


class CallbackRefused(Exception):
    """What came back from a provider does not prove who came; the message is for the log."""


class End(StrEnum):
    """Why a trip ended without a sign-in; `error` of the address that the browser is sent back to."""

    ACCESS_DENIED = "access_denied"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    INVALID_CALLBACK = "invalid_callback"
    EMAIL_NOT_VERIFIED = "email_not_verified"
    LINK_REQUIRED = "link_required"
    ACCOUNT_BLOCKED = "account_blocked"
    ACCOUNT_DELETED = "account_deleted"
    SESSION_ENDED = "session_ended"
    IDENTITY_TAKEN = "identity_taken"
    ALREADY_LINKED = "already_linked"
