"""HTTP: second factors, and proving oneself anew."""

from litestar import Response, Router, delete, get, post
from litestar.params import JSONBody

from memi.auth import mfa, step_up
from memi.auth.device import device_of
from memi.auth.errors import AccountBlocked, TooManyAttempts
from memi.auth.mfa_errors import (
    InvalidMfaToken,
    MfaAlreadyEnrolled,
    MfaRequiredForStaff,
    NoSecondFactor,
    SecondFactorNeeded,
    SignInAgain,
    WrongCode,
    WrongPassword,
)
from memi.auth.mfa_schemas import (
    BrowserSteppedUp,
    CodeProof,
    Enrolment,
    MfaStatus,
    MfaVerification,
    RecoveryCodes,
    SteppedUp,
    StepUp,
)
from memi.auth.replies import Outcome, signed_in, stepped_up
from memi.platform.dependencies import ENROLMENT, AnyRequest, App, Caller, Session, recently_proved
from memi.platform.errors import NotAuthenticated, StepUpRequired, ValidationFailed
from memi.platform.limits import Limit, RateLimited, limited
from memi.platform.problems import problems
from memi.users.errors import NotVerified


@get("/auth/mfa", opt={ENROLMENT: True}, responses=problems(NotAuthenticated))
async def read_mfa(caller: Caller, session: Session) -> MfaStatus:
    """Whether one has a second factor, and whether one must get one before anything else."""
    return await mfa.status(session, caller)


@post(
    "/auth/mfa/totp/enrol",
    status_code=200,
    guards=[limited(Limit.SECOND_FACTOR), recently_proved],
    opt={ENROLMENT: True},
    responses=problems(NotAuthenticated, StepUpRequired, RateLimited, MfaAlreadyEnrolled, NotVerified),
)
async def enrol_totp(caller: Caller, app: App, session: Session) -> Enrolment:
    """Begin with an authenticator app. It counts for nothing until it is confirmed; beginning again replaces it."""
    return await mfa.enrol(session, app.key_ring, caller)


@post(
    "/auth/mfa/totp/confirm",
    status_code=200,
    guards=[limited(Limit.SECOND_FACTOR), recently_proved],
    opt={ENROLMENT: True},
    responses=problems(
        NotAuthenticated,
        StepUpRequired,
        RateLimited,
        NoSecondFactor,
        MfaAlreadyEnrolled,
        WrongCode,
        ValidationFailed,
    ),
)
async def confirm_totp(data: JSONBody[CodeProof], caller: Caller, app: App, session: Session) -> RecoveryCodes:
    """Take the app into use by a code it shows. Other sessions end; the recovery codes are shown this once."""
    return await mfa.confirm(session, app.key_ring, caller, data.code)


@delete(
    "/auth/mfa/totp",
    guards=[limited(Limit.SECOND_FACTOR), recently_proved],
    responses=problems(
        NotAuthenticated,
        StepUpRequired,
        RateLimited,
        NoSecondFactor,
        MfaRequiredForStaff,
        WrongCode,
        TooManyAttempts,
        ValidationFailed,
    ),
)
async def remove_totp(data: JSONBody[CodeProof], caller: Caller, app: App) -> None:
    """Do without the second factor, by a code of it or a recovery code. Other sessions end."""
    await mfa.remove(app, caller, data.code)


@post(
    "/auth/mfa/recovery-codes",
    status_code=200,
    guards=[limited(Limit.SECOND_FACTOR), recently_proved],
    responses=problems(NotAuthenticated, StepUpRequired, RateLimited, NoSecondFactor),
)
async def renew_recovery_codes(caller: Caller, session: Session) -> RecoveryCodes:
    """Ten new recovery codes, shown this once; those there were work no more."""
    return await mfa.renew_recovery_codes(session, caller)


@post(
    "/auth/mfa/verify",
    status_code=200,
    guards=[limited(Limit.SECOND_FACTOR)],
    responses=problems(InvalidMfaToken, WrongCode, TooManyAttempts, RateLimited, AccountBlocked, ValidationFailed),
)
async def verify_mfa(data: JSONBody[MfaVerification], request: AnyRequest, app: App) -> Response[Outcome]:
    """Finish a sign-in by a code of the app or a recovery code. Five wrong codes void the token."""
    return signed_in(request, await mfa.finish_sign_in(app, data.mfa_token, data.code, device_of(request)))


@post(
    "/auth/step-up",
    status_code=200,
    guards=[limited(Limit.SECOND_FACTOR)],
    opt={ENROLMENT: True},
    responses=problems(
        NotAuthenticated,
        WrongPassword,
        WrongCode,
        SecondFactorNeeded,
        NoSecondFactor,
        SignInAgain,
        TooManyAttempts,
        RateLimited,
        ValidationFailed,
    ),
)
async def prove_anew(
    data: JSONBody[StepUp], caller: Caller, request: AnyRequest, app: App
) -> Response[SteppedUp | BrowserSteppedUp]:
    """Prove who one is once more, which dangerous deeds ask for (403 `step_up_required`).

    An account with a second factor gives a code, any other its password. The session goes on under new tokens, and
    the old ones stop at once: whoever else holds them proved nothing.
    """
    device = device_of(request)
    if data.code is not None:
        issued, until = await step_up.by_code(app, caller, data.code, device)
    else:
        assert data.password is not None
        issued, until = await step_up.by_password(app, caller, data.password.get_secret_value(), device)
    return stepped_up(request, issued, until)


router = Router(
    "",
    route_handlers=[
        read_mfa,
        enrol_totp,
        confirm_totp,
        remove_totp,
        renew_recovery_codes,
        verify_mfa,
        prove_anew,
    ],
    tags=["auth"],
)
