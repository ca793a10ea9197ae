"""HTTP: ask for an item to be kept, and what follows."""

from uuid import UUID

from litestar import Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody

from memi.chat.errors import ChatBlocked
from memi.platform.cursors import Page
from memi.platform.dependencies import QUERY_MODEL, App, Caller, IfMatch, Session, query_of
from memi.platform.errors import InvalidCursor, NotAuthenticated, NotFound, StaleVersion, ValidationFailed
from memi.platform.etags import tagged
from memi.platform.impersonation import IMPERSONATION, OpenTo
from memi.platform.limits import Limit, limited
from memi.platform.problems import problems
from memi.reservations import service
from memi.reservations.errors import (
    IllegalTransition,
    ListingUnavailable,
    NotYourMove,
    ReservationExists,
    SellerCannotReserve,
)
from memi.reservations.guards import OwnReservation, own_reservation
from memi.reservations.models import Reservation
from memi.reservations.schemas import ReservationQuery, ReservationRead, ReservationRequest
from memi.users.errors import NotVerified

_OWN = {"own": Provide(own_reservation)}
_REFUSALS = (NotAuthenticated, NotFound, NotYourMove, IllegalTransition, StaleVersion)


async def _reply(session: Session, reservation: Reservation, status_code: int = 200) -> Response[ReservationRead]:
    shown = (await service.render(session, [reservation]))[0]
    return tagged(shown, reservation.version, status_code=status_code)


@post(
    "/listings/{listing_id:uuid}/reservations",
    guards=[limited(Limit.RESERVATION)],
    responses=problems(
        NotAuthenticated,
        NotFound,
        SellerCannotReserve,
        NotVerified,
        ChatBlocked,
        ListingUnavailable,
        ReservationExists,
        ValidationFailed,
    ),
)
async def request_reservation(
    listing_id: FromPath[UUID], caller: Caller, session: Session, data: JSONBody[ReservationRequest | None] = None
) -> Response[ReservationRead]:
    """Ask the seller to keep an item. Also while it is RESERVED: the request waits in case the other falls through."""
    made = await service.request(session, listing_id, caller.user_id, data.message if data else None)
    reply = await _reply(session, made, 201)
    reply.headers["Location"] = f"/api/v1/reservations/{made.id}"
    return reply


@get(
    "/reservations",
    dependencies={"asked": query_of(ReservationQuery)},
    opt={QUERY_MODEL: ReservationQuery, IMPERSONATION: OpenTo.ALL},
    responses=problems(NotAuthenticated, ValidationFailed, InvalidCursor),
)
async def list_reservations(
    caller: Caller, app: App, session: Session, asked: NamedDependency[ReservationQuery]
) -> Page[ReservationRead]:
    """One's reservations as buyer, seller or both, newest first."""
    return await service.page(session, app.cursors, caller.user_id, asked)


@get(
    "/reservations/{reservation_id:uuid}",
    dependencies=_OWN,
    opt={IMPERSONATION: OpenTo.ALL},
    responses=problems(NotAuthenticated, NotFound),
)
async def read_reservation(own: NamedDependency[OwnReservation], session: Session) -> Response[ReservationRead]:
    """A reservation one has a part in."""
    return await _reply(session, await service.get(session, own))


@post(
    "/reservations/{reservation_id:uuid}/accept",
    status_code=200,
    dependencies=_OWN,
    responses=problems(*_REFUSALS, ListingUnavailable),
)
async def accept_reservation(
    own: NamedDependency[OwnReservation], session: Session, if_match: IfMatch
) -> Response[ReservationRead]:
    """The seller keeps the item for this buyer. 409 `listing_unavailable` while it is held for someone else."""
    return await _reply(session, await service.accept(session, own, if_match))


@post(
    "/reservations/{reservation_id:uuid}/reject",
    status_code=200,
    dependencies=_OWN,
    responses=problems(*_REFUSALS),
)
async def reject_reservation(
    own: NamedDependency[OwnReservation], session: Session, if_match: IfMatch
) -> Response[ReservationRead]:
    """The seller says no to a request."""
    return await _reply(session, await service.reject(session, own, if_match))


@post(
    "/reservations/{reservation_id:uuid}/cancel",
    status_code=200,
    dependencies=_OWN,
    responses=problems(*_REFUSALS),
)
async def cancel_reservation(
    own: NamedDependency[OwnReservation], session: Session, if_match: IfMatch
) -> Response[ReservationRead]:
    """The buyer takes a request back, or either side calls off an accepted one: the item is free again."""
    return await _reply(session, await service.cancel(session, own, if_match))


@post(
    "/reservations/{reservation_id:uuid}/complete",
    status_code=200,
    dependencies=_OWN,
    responses=problems(*_REFUSALS),
)
async def complete_reservation(
    own: NamedDependency[OwnReservation], session: Session, if_match: IfMatch
) -> Response[ReservationRead]:
    """The seller handed it over: the listing is SOLD and the other requests close."""
    return await _reply(session, await service.complete(session, own, if_match))


router = Router(
    "",
    route_handlers=[
        request_reservation,
        list_reservations,
        read_reservation,
        accept_reservation,
        reject_reservation,
        cancel_reservation,
        complete_reservation,
    ],
    tags=["reservations"],
)
