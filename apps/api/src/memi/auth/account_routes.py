"""HTTP: one's address and password."""

from litestar import Router, post
from litestar.params import JSONBody

from memi.auth import account
from memi.auth.account_errors import AlreadyVerified, InvalidMailToken, PasswordNotSet
from memi.auth.account_schemas import (
    Accepted,
    EmailChange,
    EmailVerification,
    ForgottenPassword,
    PasswordChange,
    PasswordReset,
    PasswordStrength,
    PasswordToJudge,
    VerifiedEmail,
)
from memi.auth.errors import TooManyAttempts
from memi.auth.mfa_errors import WrongPassword
from memi.auth.password_rules import judge
from memi.platform.dependencies import App, Caller, Session, recently_proved
from memi.platform.errors import NotAuthenticated, StepUpRequired, ValidationFailed
from memi.platform.limits import Limit, RateLimited, limited
from memi.platform.problems import problems


@post(
    "/auth/email/verify",
    status_code=200,
    guards=[limited(Limit.VERIFY)],
    responses=problems(InvalidMailToken, RateLimited, ValidationFailed),
)
async def verify_email(data: JSONBody[EmailVerification], session: Session) -> VerifiedEmail:
    """Prove an address by the token mailed to it: the account's own, or the one it is to change to.

    Works signed in or not. Opening the same link twice answers the same.
    """
    return await account.verify(session, data.token)


@post(
    "/auth/email/resend",
    status_code=202,
    guards=[limited(Limit.EMAIL_RESEND)],
    responses=problems(NotAuthenticated, AlreadyVerified, RateLimited),
)
async def resend_verification(caller: Caller, session: Session) -> Accepted:
    """Have the link to verify one's address mailed again."""
    await account.resend(session, caller)
    return Accepted(True)


@post(
    "/auth/email/change",
    status_code=202,
    guards=[recently_proved, limited(Limit.EMAIL_RESEND)],
    responses=problems(NotAuthenticated, StepUpRequired, WrongPassword, TooManyAttempts, RateLimited, ValidationFailed),
)
async def change_email(data: JSONBody[EmailChange], caller: Caller, app: App, session: Session) -> Accepted:
    """Ask for another address. It becomes the account's when the link mailed to it is opened.

    The answer is the same for an address that is taken: its owner alone hears of that.
    """
    await account.request_change(app, session, caller, data)
    return Accepted(True)


@post(
    "/auth/password/forgot",
    status_code=202,
    guards=[limited(Limit.PASSWORD_RESET)],
    responses=problems(RateLimited, ValidationFailed),
)
async def forgot_password(data: JSONBody[ForgottenPassword], app: App, session: Session) -> Accepted:
    """Have a link mailed with which to set a new password. The answer is the same for every address."""
    await account.forgot_password(app, session, data.email)
    return Accepted(True)


@post(
    "/auth/password/reset",
    status_code=204,
    guards=[limited(Limit.PASSWORD_RESET)],
    responses=problems(InvalidMailToken, RateLimited, ValidationFailed),
)
async def reset_password(data: JSONBody[PasswordReset], app: App, session: Session) -> None:
    """Set a new password by a mailed token. Every session ends; signing in asks for the second factor as ever."""
    await account.reset_password(app, session, data)


@post(
    "/auth/password/change",
    status_code=204,
    guards=[limited(Limit.PASSWORD_CHANGE)],
    responses=problems(NotAuthenticated, WrongPassword, PasswordNotSet, TooManyAttempts, RateLimited, ValidationFailed),
)
async def change_password(data: JSONBody[PasswordChange], caller: Caller, app: App, session: Session) -> None:
    """Set another password. This session goes on, all others end."""
    await account.change_password(app, session, caller, data)


@post(
    "/auth/password/strength",
    status_code=200,
    guards=[limited(Limit.SUGGEST)],
    responses=problems(RateLimited, ValidationFailed),
)
async def judge_password(data: JSONBody[PasswordToJudge]) -> PasswordStrength:
    """How good a password is, for a meter beside the field. Nothing of it is kept."""
    found = judge(data.password.get_secret_value(), data.email, data.name)
    return PasswordStrength(found.score, found.refusal is None, found.refusal, found.warning, list(found.suggestions))


router = Router(
    "",
    route_handlers=[
        verify_email,
        resend_verification,
        change_email,
        forgot_password,
        reset_password,
        change_password,
        judge_password,
    ],
    tags=["auth"],
)
