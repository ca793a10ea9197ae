"""HTTP for staff: accounts that go and come back, and what their owners said."""

from uuid import UUID

from litestar import Response, Router, delete, get, post
from litestar.params import FromPath, JSONBody

from memi.admin import accounts, views
from memi.admin.errors import AccountNotErased, CannotDeleteSelf, StaffProtected
from memi.admin.refusals import DEED, STAFF
from memi.admin.schemas import AccountRead, Reason, WordsRead
from memi.platform.dependencies import Caller, IfMatch, Session, recently_proved, requires
from memi.platform.errors import (
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    StaleVersion,
    StepUpRequired,
    ValidationFailed,
)
from memi.platform.permissions import Permission
from memi.platform.problems import problems
from memi.users.errors import LastAdmin, RestoreTooLate

_GUARDS = [requires(Permission.USERS_DELETE), recently_proved]
_DEED = (NotAuthenticated, PermissionDenied, StepUpRequired, NotFound, StaleVersion, ValidationFailed)


@delete(
    "/admin/users/{user_id:uuid}",
    status_code=200,
    guards=_GUARDS,
    responses=problems(*_DEED, CannotDeleteSelf, StaffProtected, LastAdmin),
)
async def delete_user(
    user_id: FromPath[UUID], data: JSONBody[Reason], caller: Caller, session: Session, if_match: IfMatch
) -> Response[AccountRead]:
    """Delete an account, as its owner could: it is erased after some days, and its owner is mailed a way back."""
    return views.tagged_account(await accounts.delete_user(session, caller, user_id, data.reason, if_match))


@post(
    "/admin/users/{user_id:uuid}/restore",
    status_code=200,
    guards=_GUARDS,
    responses=problems(*_DEED, RestoreTooLate),
)
async def restore_user(
    user_id: FromPath[UUID], data: JSONBody[Reason], caller: Caller, session: Session, if_match: IfMatch
) -> Response[AccountRead]:
    """Give a deleted account back while its days last. A block that stood still stands."""
    return views.tagged_account(await accounts.restore_user(session, caller, user_id, data.reason, if_match))


_WORDS = "/admin/users/{user_id:uuid}/erase-words"


@post(
    _WORDS,
    status_code=202,
    guards=[requires(Permission.USERS_ERASE_WORDS), recently_proved],
    responses=problems(*DEED, StepUpRequired, AccountNotErased),
)
async def erase_words(user_id: FromPath[UUID], data: JSONBody[Reason], caller: Caller, session: Session) -> WordsRead:
    """Erase what a person said in chats and their pictures there, once their account is erased; a job does it.

    Who wrote when stays, and so does what the other side said. Chats that somebody may still have to read are waited
    for: `held_back_by`. Read how far it is with `GET`; asked for again, nothing is done twice.
    """
    return WordsRead(user_id, *await accounts.erase_words(session, caller, user_id, data.reason))


@get(_WORDS, guards=[requires(Permission.USERS_ERASE_WORDS)], responses=problems(*STAFF, NotFound))
async def read_words_left(user_id: FromPath[UUID], session: Session) -> WordsRead:
    """Whether anything is left of what a person said in chats, and what holds it back."""
    return WordsRead(user_id, *await accounts.words_left(session, user_id))


router = Router("", route_handlers=[delete_user, restore_user, erase_words, read_words_left], tags=["admin"])
