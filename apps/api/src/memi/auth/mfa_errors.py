"""Refusals of second factors and of proving oneself anew."""

from memi.platform.errors import AppError


class InvalidMfaToken(AppError):
    code, status, title = (
        "invalid_mfa_token",
        401,
        "This sign-in is over or took too long; start it anew.",
    )


class WrongCode(AppError):
    code, status, title = "wrong_code", 403, "The code is wrong, out of date, or was used already."


class WrongPassword(AppError):
    code, status, title = "wrong_password", 403, "The password is wrong."


class MfaAlreadyEnrolled(AppError):
    code, status, title = "mfa_already_enrolled", 409, "The account has a second factor; remove it first."


class NoSecondFactor(AppError):
    code, status, title = "no_second_factor", 409, "The account has no second factor, or none to confirm."


class MfaRequiredForStaff(AppError):
    code, status, title = "mfa_required_for_staff", 403, "Staff cannot be without a second factor."


class SecondFactorNeeded(AppError):
    code, status, title = "second_factor_needed", 403, "This account proves itself by a code of its second factor."


class SignInAgain(AppError):
    code, status, title = "sign_in_again", 403, "This account has no password to prove it by; sign in again."
