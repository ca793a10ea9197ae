"""Opaque, signed keyset cursors: the sort values of the last row, bound to the collection that gave them."""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

import msgspec

from memi.platform.errors import InvalidCursor

T = TypeVar("T")
CursorValue = int | str | float | bool | datetime | UUID | None
_SIGNATURE = 12


class Page(msgspec.Struct, Generic[T]):
    """One page of a collection; `next_cursor` is null on the last."""

    items: list[T]
    next_cursor: str | None


class CursorSigner:
    def __init__(self, key: bytes) -> None:
        self._key = key
        self._encode = msgspec.json.Encoder().encode

    def encode(self, scope: str, *values: CursorValue) -> str:
        """`scope` names the collection, its sort and whatever else makes a cursor meaningless elsewhere."""
        body = self._encode(values)
        return base64.urlsafe_b64encode(self._sign(scope, body) + body).rstrip(b"=").decode()

    def decode(self, scope: str, cursor: str, types: tuple[type, ...]) -> tuple[CursorValue, ...]:
        """The values given to `encode`, as `types`; raises `InvalidCursor` for anything else."""
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            signature, body = raw[:_SIGNATURE], raw[_SIGNATURE:]
            if not hmac.compare_digest(signature, self._sign(scope, body)):
                raise InvalidCursor
            return msgspec.json.decode(body, type=tuple.__class_getitem__(types))
        except (binascii.Error, ValueError, msgspec.MsgspecError):
            raise InvalidCursor from None

    def _sign(self, scope: str, body: bytes) -> bytes:
        return hmac.digest(self._key, scope.encode() + b"\0" + body, hashlib.sha256)[:_SIGNATURE]
