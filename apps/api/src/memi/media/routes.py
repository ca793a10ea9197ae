"""HTTP: announcing and completing uploads below `/api/v1`; outside of it, the local store's own PUT and GET."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, Router, get, post, put
from litestar.exceptions import InternalServerException
from litestar.params import FromPath, HeaderParameter, JSONBody
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from memi.media import service
from memi.media.errors import (
    BadDownloadSignature,
    BadUploadSignature,
    DownloadUrlExpired,
    UploadLengthMismatch,
    UploadNotReceived,
    UploadTypeMismatch,
    UploadUrlExpired,
)
from memi.media.local_store import CHUNK_BYTES, LocalStore, PublicFile, read_chunks
from memi.media.schemas import UploadCreate, UploadRead, UploadTicket
from memi.media.store import store_of
from memi.platform.dependencies import AnyRequest, App, Caller, Session
from memi.platform.errors import BodyTooLarge, NotAuthenticated, NotFound, RequestTimedOut, ValidationFailed
from memi.platform.etags import is_unchanged
from memi.platform.impersonation import IMPERSONATION, OpenTo
from memi.platform.limits import Limit, limited
from memi.platform.problems import problems
from memi.platform.request_state import state_of
from memi.platform.runtime import Runtime

_IfNoneMatch = Annotated[str | None, HeaderParameter(name="If-None-Match")]
_DOWNLOAD_SECONDS = 900
"""For somebody's whole data over a phone's network."""


@post("/uploads", guards=[limited(Limit.UPLOAD)], responses=problems(NotAuthenticated, ValidationFailed))
async def create_upload(data: JSONBody[UploadCreate], caller: Caller, session: Session) -> UploadTicket:
    """Announce a picture; put the file to the URL of the reply, then complete the upload."""
    return await service.create(session, caller.user_id, data)


@post(
    "/uploads/{upload_id:uuid}/complete",
    status_code=202,
    responses=problems(NotAuthenticated, NotFound, UploadNotReceived),
)
async def complete_upload(upload_id: FromPath[UUID], caller: Caller, session: Session) -> UploadRead:
    """Say that the file was put. It is checked, and processed soon; what is wrong with it is the upload's `code`."""
    return await service.complete(session, caller.user_id, upload_id)


@get("/uploads/{upload_id:uuid}", opt={IMPERSONATION: OpenTo.ALL}, responses=problems(NotAuthenticated, NotFound))
async def read_upload(upload_id: FromPath[UUID], caller: Caller, session: Session) -> UploadRead:
    """How far one's upload is: PENDING, UPLOADED, PROCESSING, READY or REJECTED."""
    return await service.read(session, caller.user_id, upload_id)


@put(
    "/media/incoming/{token:str}",
    status_code=200,
    tags=["uploads"],
    request_max_body_size=None,  # the exact length is signed, and enforced while the body streams to disk
    responses=problems(
        BadUploadSignature,
        UploadUrlExpired,
        UploadTypeMismatch,
        UploadLengthMismatch,
        NotFound,
        BodyTooLarge,
        RequestTimedOut,
    ),
)
async def put_incoming(token: FromPath[str], request: AnyRequest, app: App) -> None:
    """Put a file to the presigned URL that announcing it gave. Needs no sign-in; good for this one file only."""
    store = _local_store(app)
    grant = store.read_grant(token)
    if request.headers.get("content-type", "").lower() != grant.content_type:
        raise UploadTypeMismatch
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) < grant.size:
        raise UploadLengthMismatch
    if int(length) > grant.size:
        raise BodyTooLarge
    # A photo over a phone's network takes longer than other requests may; every single part must still keep coming.
    state_of(request.scope).stream_body(app.settings.upload_url_seconds)
    await store.receive(grant, _arriving(request, app.settings.request_seconds))


async def _arriving(request: AnyRequest, patience: float) -> AsyncGenerator[bytes]:
    stream = request.stream()
    while True:
        try:
            yield await asyncio.wait_for(anext(stream), patience)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise RequestTimedOut from None
        except InternalServerException:
            # The client left in the middle; nobody is there to be told.
            raise UploadLengthMismatch from None


@get(
    "/media/private/{token:str}",
    tags=["uploads"],
    responses=problems(BadDownloadSignature, DownloadUrlExpired, NotFound),
)
async def read_private(token: FromPath[str], request: AnyRequest, app: App) -> Stream:
    """Download a private file by the presigned URL that its owner was given. Needs no sign-in; good for minutes."""
    store = _local_store(app)
    grant = store.read_download(token)
    size = await store.size(grant.key)
    if size is None:
        raise NotFound
    limit = state_of(request.scope).time_limit
    if limit is not None:
        limit.extend(_DOWNLOAD_SECONDS)
    async with store.local_copy(grant.key) as path:
        headers = {
            "Content-Length": str(size),
            "Content-Disposition": f'attachment; filename="{grant.filename}"',
            "Cache-Control": "private, no-store",
        }
        return Stream(read_chunks(path), media_type=grant.content_type, headers=headers)


@get("/media/public/{name:str}", tags=["uploads"], include_in_schema=False)
async def read_public(name: FromPath[str], app: App, if_none_match: _IfNoneMatch = None) -> Response[Any]:
    """A rendition. Its content never changes, so that any cache may keep it for good."""
    file = await _public_file(app, name)
    headers = _public_headers(name, file)
    if is_unchanged(if_none_match, headers["ETag"]):
        return Response(b"", status_code=304, headers=headers)
    headers["Content-Length"] = str(file.size)
    if file.size <= CHUNK_BYTES:
        return Response(await asyncio.to_thread(file.path.read_bytes), media_type=file.content_type, headers=headers)
    return Stream(read_chunks(file.path), media_type=file.content_type, headers=headers)


async def _public_file(app: Runtime, name: str) -> PublicFile:
    file = await _local_store(app).public_file(name)
    if file is None:
        raise NotFound
    return file


def _public_headers(name: str, file: PublicFile) -> dict[str, str]:
    return {
        "ETag": f'"{name.partition(".")[0]}-{file.size:x}"',
        "Cache-Control": "public, max-age=31536000, immutable",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }


def _local_store(app: Runtime) -> LocalStore:
    store = store_of(app.adapters)
    if not isinstance(store, LocalStore):
        raise NotFound  # clients deal with the object store itself
    return store


router = Router("", route_handlers=[create_upload, complete_upload, read_upload], tags=["uploads"])
public_handlers: list[ControllerRouterHandler] = [put_incoming, read_private, read_public]
"""Outside `/api/v1`: what a client does with the URLs of the local store."""
