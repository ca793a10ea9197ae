"""HTTP: one's own address book."""

from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from memi.platform.cursors import Page
from memi.platform.dependencies import QUERY_MODEL, App, Caller, Session, query_of
from memi.platform.errors import InvalidCursor, NotAuthenticated, NotFound, ValidationFailed
from memi.platform.impersonation import IMPERSONATION, OpenTo
from memi.platform.problems import problems
from memi.users import addresses
from memi.users.addresses_schemas import AddressCreate, AddressesQuery, AddressRead, AddressUpdate
from memi.users.errors import TooManyAddresses


@get(
    "/users/me/addresses",
    dependencies={"asked": query_of(AddressesQuery)},
    opt={QUERY_MODEL: AddressesQuery, IMPERSONATION: OpenTo.ALL},
    responses=problems(NotAuthenticated, InvalidCursor, ValidationFailed),
)
async def list_addresses(
    asked: NamedDependency[AddressesQuery], caller: Caller, session: Session, app: App
) -> Page[AddressRead]:
    """Your address book, the newest first. Nobody else sees it."""
    return await addresses.page(session, app.cursors, caller.user_id, asked.cursor, asked.limit)


@post("/users/me/addresses", responses=problems(NotAuthenticated, TooManyAddresses, ValidationFailed))
async def add_address(data: JSONBody[AddressCreate], caller: Caller, session: Session) -> Response[AddressRead]:
    """Add an address, 20 at most. The first is the default; so is one added with `is_default`."""
    address = await addresses.add(session, caller.user_id, data)
    return Response(
        addresses.to_read(address),
        status_code=201,
        headers={"Location": f"/api/v1/users/me/addresses/{address.id}"},
    )


@patch("/users/me/addresses/{address_id:uuid}", responses=problems(NotAuthenticated, NotFound, ValidationFailed))
async def update_address(
    address_id: FromPath[UUID], data: JSONBody[AddressUpdate], caller: Caller, session: Session
) -> AddressRead:
    """Change an address by JSON merge patch. With `is_default: true` it takes that from the other."""
    return addresses.to_read(await addresses.update(session, caller.user_id, address_id, data))


@delete("/users/me/addresses/{address_id:uuid}", status_code=204, responses=problems(NotAuthenticated, NotFound))
async def remove_address(address_id: FromPath[UUID], caller: Caller, session: Session) -> None:
    """Remove an address. When it was the default, the newest one left is."""
    await addresses.remove(session, caller.user_id, address_id)


HANDLERS = [list_addresses, add_address, update_address, remove_address]
