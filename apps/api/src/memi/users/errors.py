"""Refusals of the users feature."""

from memi.platform.errors import AppError


class EmailTaken(AppError):
    code, status, title = "email_taken", 409, "There is an account with this address."


class RestoreTooLate(AppError):
    code, status, title = "restore_too_late", 410, "The days in which this account could be had back are over."


class NotVerified(AppError):
    code, status, title = "email_not_verified", 403, "Verify your email address to do this."
