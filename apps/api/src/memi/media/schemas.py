"""Shapes of uploads and of the pictures they become."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from pydantic import ConfigDict, Field

from memi.platform.validation import RequestModel


class UploadCreate(RequestModel):
    """What the client is about to send. `size` in bytes; `sha256` of the content, hex."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"filename": "dress.jpg", "content_type": "image/jpeg", "size": 284113}]}
    )

    filename: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
    content_type: Annotated[str, Field(min_length=1, max_length=100)]
    size: Annotated[int, Field(ge=1, strict=True)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None


class UploadTicket(msgspec.Struct):
    """Where to put the file: send `method` to `url` with `headers`, before `expires_at`."""

    id: UUID
    status: str
    method: str
    url: str
    headers: dict[str, str]
    expires_at: datetime


class RenditionRead(msgspec.Struct, frozen=True):
    """One size of a picture; width and height in pixels."""

    url: str
    width: int
    height: int
    content_type: str


class UploadRead(msgspec.Struct):
    """An upload as its owner sees it. `code` says why it was REJECTED; width and height are the original's."""

    id: UUID
    status: str
    code: str | None
    filename: str
    content_type: str
    size: int
    width: int | None
    height: int | None
    blurhash: str | None
    renditions: list[RenditionRead]
    created_at: datetime


class ImageRead(msgspec.Struct, frozen=True):
    """A picture as others see it; `url` is one good size of it, null with the rest until `status` is READY."""

    id: UUID
    status: str
    url: str | None
    width: int | None
    height: int | None
    blurhash: str | None
    renditions: list[RenditionRead]
