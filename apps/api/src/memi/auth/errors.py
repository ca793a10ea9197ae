"""Refusals of the auth feature."""

from memi.platform.errors import AppError


class InvalidCredentials(AppError):
    code, status, title = "invalid_credentials", 401, "The address or the password is wrong."


class AccountBlocked(AppError):
    """Where it is certain who asks, carries the `appeal_token` with which they read why and appeal."""

    code, status, title = "account_blocked", 403, "This account is blocked."


class InvalidAppealToken(AppError):
    code, status, title = "invalid_appeal_token", 401, "Sign in once more to read why, or to appeal."


class InvalidRefreshToken(AppError):
    code, status, title = "invalid_refresh_token", 401, "Sign in again."


class TooManyAttempts(AppError):
    code, status, title = "too_many_attempts", 429, "Too many wrong attempts in a row; wait before the next one."

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            f"Too many wrong attempts in a row; try again in {retry_after} s.",
            headers={"Retry-After": str(retry_after)},
            retry_after=retry_after,
        )
