"""Refusals of the auth feature."""

from memi.platform.errors import AppError


class InvalidCredentials(AppError):
    code, status, title = "invalid_credentials", 401, "The address or the password is wrong."


class AccountBlocked(AppError):
    code, status, title = "account_blocked", 403, "This account is blocked."


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
