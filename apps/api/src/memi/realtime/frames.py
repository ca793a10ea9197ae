"""What goes over a socket: JSON texts `{"id"?, "type", "data"}`, and the codes that close it."""

from enum import IntEnum
from typing import Any, Literal

import msgspec

from memi.platform.errors import AppError, FieldError, MalformedJson, ValidationFailed
from memi.platform.json_bounds import check_json

SUBPROTOCOL = "memi.v1"
MAX_FRAME_BYTES = 65_536
FrameId = str | int | None
_MAX_ID = 100
_MAX_DEPTH = 32
_MAX_DIGITS = 20
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class CloseCode(IntEnum):
    UNSUPPORTED = 1003
    """A binary frame."""
    TOO_BIG = 1009
    """A frame over 64 KB."""
    INTERNAL = 1011
    TRY_LATER = 1013
    """The reader is too slow, or the service cannot serve now: connect again and resume."""
    NOT_AUTHENTICATED = 4401
    """No valid sign-in in time, or it ended: sign in or refresh, then connect again."""
    TOO_MANY_SOCKETS = 4429
    """The account has as many sockets as it may."""


class Event(msgspec.Struct):
    """What the server tells of its own accord."""

    type: str
    data: Any


class Reply(msgspec.Struct, omit_defaults=True):
    """The answer to a command; carries the command's id when it had one."""

    type: Literal["ack", "error", "ready"]
    data: Any
    id: FrameId = None


class Refusal(msgspec.Struct, omit_defaults=True):
    """Why a command was refused, as a problem document would say it."""

    code: str
    detail: str
    errors: list[FieldError] | None = None
    retry_after: Any = None


class Command(msgspec.Struct):
    """What the client asks."""

    type: str
    id: FrameId
    data: dict[str, Any]


class MalformedFrame(Exception):
    """Not a command; `error` says why and `id` is the frame's, if it could be read."""

    def __init__(self, error: AppError, id: FrameId = None) -> None:
        super().__init__(error.code)
        self.error = error
        self.id = id


def event(type: str, data: object) -> str:
    return _encode(Event(type, data)).decode()


def reply(type: Literal["ack", "error", "ready"], data: object, id: FrameId) -> str:
    return _encode(Reply(type, data, id)).decode()


def refusal(error: AppError, id: FrameId) -> str:
    errors = error.errors if isinstance(error, ValidationFailed) else None
    return reply("error", Refusal(error.code, error.detail, errors, error.fields.get("retry_after")), id)


def read_command(text: str) -> Command:
    """Raises `MalformedFrame` naming everything that is wrong."""
    try:
        check_json(text.encode(), max_depth=_MAX_DEPTH, max_digits=_MAX_DIGITS)
        frame: Any = _decode(text)
    except AppError as error:
        raise MalformedFrame(error) from None
    except (msgspec.DecodeError, RecursionError):
        raise MalformedFrame(MalformedJson("The frame is not valid JSON.")) from None
    if not isinstance(frame, dict):
        raise MalformedFrame(ValidationFailed.of("", "wrong_type", "A frame is a JSON object."))
    fields: dict[str, Any] = frame  # pyright: ignore[reportUnknownVariableType]  # JSON objects have string keys
    kind, id, data = fields.get("type"), fields.get("id"), fields.get("data", {})
    errors = [
        FieldError(f"/{name}", "unknown_field", "A frame has id, type and data.")
        for name in fields
        if name not in ("id", "type", "data")
    ]
    if not isinstance(kind, str):
        errors.append(FieldError("/type", "required" if kind is None else "wrong_type", "Must be a string."))
    if not isinstance(id, str | int | None) or isinstance(id, bool) or len(str(id)) > _MAX_ID:
        errors.append(FieldError("/id", "wrong_type", f"Must be a number or a string of at most {_MAX_ID} characters."))
        id = None
    if not isinstance(data, dict):
        errors.append(FieldError("/data", "wrong_type", "Must be an object."))
    if errors:
        raise MalformedFrame(ValidationFailed(errors), id)
    return Command(str(kind), id, fields.get("data", {}))
