"""Refusals about an account's address and password."""

from memi.platform.errors import AppError


class InvalidMailToken(AppError):
    code, status, title = "invalid_mail_token", 400, "The link is invalid, was used already, or its time is over."


class AlreadyVerified(AppError):
    code, status, title = "already_verified", 409, "The address is verified already."


class PasswordNotSet(AppError):
    code, status, title = "password_not_set", 409, "The account has no password yet; set one through a mailed link."
