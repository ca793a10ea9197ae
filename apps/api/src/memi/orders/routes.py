"""HTTP: buy an item, and what follows."""

from typing import Annotated, Any, cast
from zlib import crc32

import msgspec
from litestar import Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import HeaderParameter, JSONBody

from memi.chat.errors import ChatBlocked
from memi.orders import service
from memi.orders.errors import (
    IllegalTransition,
    ListingUnavailable,
    NotYourMove,
    OrderExists,
    ReservationNotAccepted,
    SellerCannotOrder,
)
from memi.orders.guards import OwnOrder, own_order
from memi.orders.models import Order
from memi.orders.rendering import render
from memi.orders.schemas import CancelRequest, OrderQuery, OrderRead, OrderRequest
from memi.platform.cursors import Page
from memi.platform.dependencies import QUERY_MODEL, App, Caller, IfMatch, Session, query_of
from memi.platform.errors import InvalidCursor, NotAuthenticated, NotFound, StaleVersion, ValidationFailed
from memi.platform.etags import is_unchanged, tagged
from memi.platform.impersonation import IMPERSONATION, OpenTo
from memi.platform.limits import Limit, limited
from memi.platform.problems import problems
from memi.users.errors import NotVerified

_IfNoneMatch = Annotated[str | None, HeaderParameter(name="If-None-Match")]
_OWN = {"own": Provide(own_order)}
_REFUSALS = (NotAuthenticated, NotFound, IllegalTransition, StaleVersion)


async def _reply(session: Session, order: Order, caller: Caller, status_code: int = 200) -> Response[OrderRead]:
    """With an ETag that also changes with what is not the order's own: somebody's picture, a deleted account."""
    shown = (await render(session, [order], caller.user_id))[0]
    return tagged(shown, order.version, crc32(msgspec.json.encode(shown)), status_code=status_code)


@post(
    "/orders",
    guards=[limited(Limit.ORDER)],
    responses=problems(
        NotAuthenticated,
        NotFound,
        SellerCannotOrder,
        NotVerified,
        ChatBlocked,
        ListingUnavailable,
        OrderExists,
        ReservationNotAccepted,
        ValidationFailed,
    ),
)
async def create_order(caller: Caller, session: Session, data: JSONBody[OrderRequest]) -> Response[OrderRead]:
    """Buy an ACTIVE item, or the one that an accepted reservation of one's own holds. It is held for the order."""
    made = await service.create(session, caller.user_id, data)
    reply = await _reply(session, made, caller, 201)
    reply.headers["Location"] = f"/api/v1/orders/{made.id}"
    return reply


@get(
    "/orders",
    dependencies={"asked": query_of(OrderQuery)},
    opt={QUERY_MODEL: OrderQuery, IMPERSONATION: OpenTo.ALL},
    responses=problems(NotAuthenticated, ValidationFailed, InvalidCursor),
)
async def list_orders(
    caller: Caller, app: App, session: Session, asked: NamedDependency[OrderQuery]
) -> Page[OrderRead]:
    """One's orders as buyer, seller or both, newest first."""
    return await service.page(session, app.cursors, caller.user_id, asked)


@get(
    "/orders/{order_id:uuid}",
    dependencies=_OWN,
    opt={IMPERSONATION: OpenTo.ALL},
    responses=problems(NotAuthenticated, NotFound),
)
async def read_order(
    own: NamedDependency[OwnOrder], caller: Caller, session: Session, if_none_match: _IfNoneMatch = None
) -> Response[OrderRead]:
    """An order one has a part in. The address is the buyer's, and the seller's to see while they may have to ship."""
    reply = await _reply(session, await service.get(session, own), caller)
    if is_unchanged(if_none_match, reply.headers["ETag"]):
        return Response(cast(Any, b""), status_code=304, headers={"ETag": reply.headers["ETag"]})
    return reply


@post(
    "/orders/{order_id:uuid}/cancel",
    status_code=200,
    dependencies=_OWN,
    responses=problems(*_REFUSALS, ValidationFailed),
)
async def cancel_order(
    own: NamedDependency[OwnOrder],
    caller: Caller,
    session: Session,
    if_match: IfMatch,
    data: JSONBody[CancelRequest | None] = None,
) -> Response[OrderRead]:
    """Either side calls an order off before it is paid. What was reserved is held for the reservation again."""
    order = await service.cancel(session, own, if_match, data.reason if data else None)
    return await _reply(session, order, caller)


@post(
    "/orders/{order_id:uuid}/complete",
    status_code=200,
    dependencies=_OWN,
    responses=problems(*_REFUSALS, NotYourMove),
)
async def complete_order(
    own: NamedDependency[OwnOrder], caller: Caller, session: Session, if_match: IfMatch
) -> Response[OrderRead]:
    """The buyer has the item; hand to hand the seller may say so too. The listing is SOLD and the requests close."""
    return await _reply(session, await service.complete(session, own, if_match), caller)


router = Router(
    "",
    route_handlers=[create_order, list_orders, read_order, cancel_order, complete_order],
    tags=["orders"],
)
