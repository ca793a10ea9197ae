"""HTTP: what one lets others see."""

from litestar import Response, get, put
from litestar.params import JSONBody

from memi.platform.dependencies import Caller, IfMatch, Session
from memi.platform.errors import NotAuthenticated, NotFound, StaleVersion, ValidationFailed
from memi.platform.etags import tagged
from memi.platform.impersonation import IMPERSONATION, OpenTo
from memi.platform.problems import problems
from memi.users import privacy_settings, service
from memi.users.privacy_schemas import PrivacyRead, PrivacyUpdate


@get("/users/me/privacy", opt={IMPERSONATION: OpenTo.ALL}, responses=problems(NotAuthenticated))
async def read_privacy(caller: Caller, session: Session) -> Response[PrivacyRead]:
    """What you let others see."""
    user = await service.get(session, caller.user_id)
    return tagged(privacy_settings.to_read(user), user.version)


@put("/users/me/privacy", responses=problems(NotAuthenticated, NotFound, StaleVersion, ValidationFailed))
async def put_privacy(
    data: JSONBody[PrivacyUpdate], caller: Caller, session: Session, if_match: IfMatch
) -> Response[PrivacyRead]:
    """Choose what others see, all four choices at once. The account's version rises with a change."""
    user = await privacy_settings.put(session, caller.user_id, data, if_match)
    return tagged(privacy_settings.to_read(user), user.version)


HANDLERS = [read_privacy, put_privacy]
