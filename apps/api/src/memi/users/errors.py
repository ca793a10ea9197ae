"""Refusals of the users feature."""

from memi.platform.errors import AppError


class EmailTaken(AppError):
    code, status, title = "email_taken", 409, "There is an account with this address."


class LastAdmin(AppError):
    code, status, title = "last_admin", 409, "This is the last administrator; make another one first."


class RestoreTooLate(AppError):
    code, status, title = "restore_too_late", 410, "The days in which this account could be had back are over."


class AvatarNotReady(AppError):
    code, status, title = "images_not_ready", 409, "The picture is still being processed; try again shortly."


class TooManyAddresses(AppError):
    code, status, title = "too_many_addresses", 409, "The address book is full; remove an address first."


class TooManyBlocks(AppError):
    code, status, title = "too_many_blocks", 409, "You have blocked as many people as one may; unblock somebody first."


class NotVerified(AppError):
    code, status, title = "email_not_verified", 403, "Verify your email address to do this."
