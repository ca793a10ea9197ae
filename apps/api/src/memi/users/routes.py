"""HTTP: one's own account and public profiles."""

from uuid import UUID
from zlib import crc32

import msgspec
from litestar import Response, Router, get, patch
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody

from memi.platform.dependencies import (
    ENROLMENT,
    READS_VIEWER,
    AnyRequest,
    Caller,
    IfMatch,
    Session,
    checked_principal,
    principal_of,
)
from memi.platform.errors import InvalidToken, NotAuthenticated, NotFound, StaleVersion, ValidationFailed
from memi.platform.etags import etag, tagged
from memi.platform.impersonation import IMPERSONATION, OpenTo
from memi.platform.problems import problems
from memi.platform.ready_reply import Headers, ReadyReply, conditional
from memi.users import addresses_routes, blocks_routes, privacy_routes, service
from memi.users.errors import AvatarNotReady
from memi.users.schemas import PublicProfile, UserRead, UserUpdate

_encode = msgspec.json.Encoder().encode
_VARY = (b"vary", b"Authorization, Cookie, Accept-Encoding")
_PUBLIC: Headers = [(b"cache-control", b"public, max-age=5, stale-while-revalidate=30"), _VARY]
_PRIVATE: Headers = [(b"cache-control", b"private, no-store"), _VARY]
_UNLISTED = (b"x-robots-tag", b"noindex")


@get("/users/me", opt={ENROLMENT: True, IMPERSONATION: OpenTo.ALL}, responses=problems(NotAuthenticated))
async def read_me(caller: Caller, session: Session) -> Response[UserRead]:
    """One's own account."""
    user = await service.get(session, caller.user_id)
    return tagged(service.to_read(user, caller.impersonator_id), user.version)


@patch("/users/me", responses=problems(NotAuthenticated, AvatarNotReady, StaleVersion, ValidationFailed))
async def update_me(
    data: JSONBody[UserUpdate], caller: Caller, session: Session, if_match: IfMatch
) -> Response[UserRead]:
    """Change one's account by JSON merge patch. `avatar` is the id of a READY upload of one's own, or null."""
    user = await service.update(session, caller.user_id, data, if_match)
    return tagged(service.to_read(user), user.version)


@get(
    "/users/{user_id:uuid}",
    opt={READS_VIEWER: True, IMPERSONATION: OpenTo.ALL},
    responses={
        200: ResponseSpec(PublicProfile, generate_examples=False, description="The profile."),
        **problems(InvalidToken, NotFound),
    },
)
async def read_profile(user_id: FromPath[UUID], request: AnyRequest, session: Session) -> ReadyReply:
    """A person's public profile, without what they hide. Blocked and deleted people are 404."""
    viewer = principal_of(request)
    seen = await service.public_profile(session, user_id, viewer.user_id if viewer else None)
    if seen.profile.phone is not None:
        # What only people who are signed in may see asks whether they still are.
        await checked_principal(request)
    body = _encode(seen.profile)
    headers = _PUBLIC if viewer is None else _PRIVATE
    if not seen.searchable:
        headers = [*headers, _UNLISTED]
    return conditional(request.scope, body, headers, etag(seen.version, crc32(body)).encode())


router = Router(
    "",
    route_handlers=[
        read_me,
        update_me,
        read_profile,
        *privacy_routes.HANDLERS,
        *addresses_routes.HANDLERS,
        *blocks_routes.HANDLERS,
    ],
    tags=["users"],
)
