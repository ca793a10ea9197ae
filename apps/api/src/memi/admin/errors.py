"""Refusals of the admin feature."""

from datetime import datetime

from memi.platform.errors import AppError


class CannotBlockSelf(AppError):
    code, status, title = "cannot_block_self", 409, "You cannot block your own account."


class StaffProtected(AppError):
    code, status, title = "staff_protected", 409, "Only an administrator can decide about the accounts of staff."


class CannotResetSelf(AppError):
    code, status, title = "cannot_reset_self", 409, "Another administrator must reset your second factor."


class CannotChangeOwnRoles(AppError):
    code, status, title = "cannot_change_own_roles", 409, "Another administrator must change your roles."


class CannotDeleteSelf(AppError):
    code, status, title = "cannot_delete_self", 409, "Delete your own account by `DELETE /users/me`."


class AccountNotErased(AppError):
    code, status, title = "account_not_erased", 409, "What people said is erased only after their account."

    def __init__(self, erase_after: datetime | None) -> None:
        super().__init__(erase_after=erase_after)


class SellerGone(AppError):
    code, status, title = "seller_gone", 409, "The account whose listing this was is deleted."


class AlreadyBlocked(AppError):
    code, status, title = "already_blocked", 409, "This account is blocked already."


class NotBlocked(AppError):
    code, status, title = "not_blocked", 409, "This account is not blocked."
