"""HTTP: register, login, refresh, logout."""

from litestar import Router, post
from litestar.params import JSONBody

from memi.auth import service
from memi.auth.errors import AccountBlocked, InvalidCredentials, InvalidRefreshToken
from memi.auth.passwords import PasswordHasher
from memi.auth.schemas import Login, RefreshRequest, Registration, SignedIn, TokenReply
from memi.auth.service import AuthPolicy, Device
from memi.platform.dependencies import AnyRequest, App, Session
from memi.platform.errors import ValidationFailed
from memi.platform.problems import problems
from memi.users.errors import EmailTaken


def _device(request: AnyRequest) -> Device:
    return Device(request.headers.get("user-agent"), request.client.host if request.client else None)


@post("/auth/register", responses=problems(EmailTaken, ValidationFailed))
async def register(data: JSONBody[Registration], request: AnyRequest, app: App, session: Session) -> SignedIn:
    """Make an account and sign it in."""
    password_hash = await app.adapters.get(PasswordHasher).hash(data.password.get_secret_value())
    return await service.register(session, app.adapters.get(AuthPolicy), data, password_hash, _device(request))


@post("/auth/login", status_code=200, responses=problems(InvalidCredentials, AccountBlocked, ValidationFailed))
async def login(data: JSONBody[Login], request: AnyRequest, app: App, session: Session) -> SignedIn:
    """Sign in with address and password."""
    return await service.login(app, session, data, _device(request))


@post("/auth/refresh", status_code=200, responses=problems(InvalidRefreshToken, ValidationFailed))
async def refresh(data: JSONBody[RefreshRequest], app: App) -> TokenReply:
    """Trade a refresh token for new tokens. Each works once; a second use ends the session it belongs to."""
    async with app.unit_of_work() as session:
        outcome = await service.refresh(session, app.adapters.get(AuthPolicy), data.refresh_token)
    if isinstance(outcome, str):
        raise InvalidRefreshToken
    return outcome


@post("/auth/logout", status_code=204, responses=problems(ValidationFailed))
async def logout(data: JSONBody[RefreshRequest], session: Session) -> None:
    """End the session of this refresh token. Ending it twice is no error."""
    await service.logout_by_token(session, data.refresh_token)


router = Router("", route_handlers=[register, login, refresh, logout], tags=["auth"], opt={"public": True})
