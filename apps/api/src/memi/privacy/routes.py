"""HTTP: leaving, coming back, and taking one's data along."""

from litestar import Response, Router, delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from memi.auth.account_errors import InvalidMailToken
from memi.auth.replies import forget_cookies
from memi.platform.dependencies import AnyRequest, App, Caller, Session, recently_proved
from memi.platform.errors import NotAuthenticated, StepUpRequired, ValidationFailed
from memi.platform.limits import Limit, RateLimited, limited
from memi.platform.problems import problems
from memi.platform.request_state import state_of
from memi.privacy import erasure, exports
from memi.privacy.schemas import ExportRead, RestoreAccount
from memi.users import deletion
from memi.users.errors import LastAdmin, RestoreTooLate


@delete("/users/me", guards=[recently_proved], responses=problems(NotAuthenticated, StepUpRequired, LastAdmin))
async def delete_me(caller: Caller, request: AnyRequest, session: Session) -> None:
    """Delete one's account: sessions end, listings are hidden, open requests are closed.

    Who one is must have been proved lately. A mail brings a link to have it all back for some days; then what is
    personal is erased, and what others keep (messages, deals) is by a deleted user.
    """
    await deletion.delete(session, caller.user_id)
    if state_of(request.scope).by_cookie:
        forget_cookies(request)


@post(
    "/auth/account/restore",
    status_code=204,
    guards=[limited(Limit.VERIFY)],
    responses=problems(InvalidMailToken, RestoreTooLate, RateLimited, ValidationFailed),
)
async def restore_account(data: JSONBody[RestoreAccount], session: Session) -> None:
    """Have a deleted account back by the link in its mail. One signs in anew; requests that were closed stay so."""
    await erasure.restore_by_token(session, data.token)


@get(
    "/users/me/export",
    responses={
        **problems(NotAuthenticated, RateLimited),
        202: ResponseSpec(ExportRead, generate_examples=False, description="It is being made."),
    },
)
async def read_export(caller: Caller, app: App, session: Session) -> Response[ExportRead]:
    """A ZIP of all one's data: begun when there is none, 202 while it is made, 200 with its address when it is ready.

    A mail tells when it is. The address works for minutes and can be asked for anew as long as the file is kept.
    """
    export = await exports.ask(session, app, caller.user_id)
    return Response(export, status_code=202 if export.status == "PENDING" else 200)


router = Router("", route_handlers=[delete_me, restore_account, read_export], tags=["privacy"])
