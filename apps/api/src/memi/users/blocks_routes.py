"""HTTP: whom one wants nothing to do with."""

from uuid import UUID

from litestar import delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from memi.platform.cursors import Page
from memi.platform.dependencies import QUERY_MODEL, App, Caller, Session, query_of
from memi.platform.errors import InvalidCursor, NotAuthenticated, NotFound, ValidationFailed
from memi.platform.impersonation import IMPERSONATION, OpenTo
from memi.platform.problems import problems
from memi.users import blocks
from memi.users.blocks_schemas import BlockedPerson, BlocksQuery
from memi.users.errors import TooManyBlocks


@get(
    "/users/me/blocks",
    dependencies={"asked": query_of(BlocksQuery)},
    opt={QUERY_MODEL: BlocksQuery, IMPERSONATION: OpenTo.ALL},
    responses=problems(NotAuthenticated, InvalidCursor, ValidationFailed),
)
async def list_blocks(
    asked: NamedDependency[BlocksQuery], caller: Caller, session: Session, app: App
) -> Page[BlockedPerson]:
    """Whom you have blocked, the latest first. Who has blocked you is told nobody."""
    return await blocks.page(session, app.cursors, caller.user_id, asked.cursor, asked.limit)


@put(
    "/users/me/blocks/{user_id:uuid}",
    status_code=204,
    responses=problems(NotAuthenticated, NotFound, TooManyBlocks, ValidationFailed),
)
async def block_person(user_id: FromPath[UUID], caller: Caller, session: Session) -> None:
    """Have nothing to do with somebody any more: neither of you can write to, or reserve from, the other.

    What either had asked the other to keep is called off; what was accepted stays, and is yours to cancel. Doing so
    again changes nothing.
    """
    await blocks.block(session, caller.user_id, user_id)


@delete(
    "/users/me/blocks/{user_id:uuid}", status_code=204, responses=problems(NotAuthenticated, NotFound, ValidationFailed)
)
async def unblock_person(user_id: FromPath[UUID], caller: Caller, session: Session) -> None:
    """Take a block back; doing so again changes nothing. If they have blocked you, that stays."""
    await blocks.unblock(session, caller.user_id, user_id)


HANDLERS = [list_blocks, block_person, unblock_person]
