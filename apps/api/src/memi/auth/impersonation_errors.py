"""Refusals of acting in somebody else's place."""

from memi.platform.errors import AppError


class CannotImpersonateSelf(AppError):
    code, status, title = "cannot_impersonate_self", 409, "You are yourself already."


class CannotImpersonateStaff(AppError):
    code, status, title = "cannot_impersonate_staff", 409, "Nobody acts in the place of staff."


class CannotImpersonateBlocked(AppError):
    code, status, title = "cannot_impersonate_blocked", 409, "This account is blocked: its owner cannot act either."
