"""HTTP: whether what one does may be kept as one person's."""

from litestar import Router, get, put
from litestar.params import JSONBody

from memi.platform.dependencies import Caller, Session
from memi.platform.errors import NotAuthenticated, ValidationFailed
from memi.platform.problems import problems
from memi.usage import service
from memi.usage.schemas import ConsentRead, ConsentUpdate


@get("/users/me/usage-consent", responses=problems(NotAuthenticated))
async def read_usage_consent(caller: Caller, session: Session) -> ConsentRead:
    """Whether you let your use of this place be kept as one person's. Nobody does who was not asked."""
    return await service.read_consent(session, caller.user_id)


@put("/users/me/usage-consent", responses=problems(NotAuthenticated, ValidationFailed))
async def put_usage_consent(data: JSONBody[ConsentUpdate], caller: Caller, session: Session) -> ConsentRead:
    """Consent, or withdraw it: from then on nothing new is kept as yours, and what was is nobody's any more."""
    return await service.put_consent(session, caller.user_id, consent=data.consent)


router = Router("", route_handlers=[read_usage_consent, put_usage_consent], tags=["usage"])
