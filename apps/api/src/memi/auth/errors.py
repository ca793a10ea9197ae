"""Refusals of the auth feature."""

from memi.platform.errors import AppError


class InvalidCredentials(AppError):
    code, status, title = "invalid_credentials", 401, "The address or the password is wrong."


class AccountBlocked(AppError):
    code, status, title = "account_blocked", 403, "This account is blocked."


class InvalidRefreshToken(AppError):
    code, status, title = "invalid_refresh_token", 401, "Sign in again."
