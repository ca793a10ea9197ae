"""Addresses that end a kind of mail for whoever has the mail, without signing in."""

import base64
import binascii
from importlib.resources import files
from typing import get_args
from uuid import UUID

from memi.notifications.preference_schemas import Type
from memi.platform.errors import NotFound
from memi.platform.keyring import KeyRing, Unsealable
from memi.platform.settings import Settings

_PURPOSE = "unsubscribe"
_KINDS = (*get_args(Type), "digest")
_CHANNEL = "email"


def address(settings: Settings, ring: KeyRing, user_id: UUID, kind: str) -> str:
    """Where to post to; `kind` is a type, or "digest". It is good for as long as its key is in the ring."""
    sealed = ring.seal(_PURPOSE, user_id.bytes + f"{_CHANNEL}:{kind}".encode())
    token = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
    return f"{settings.base_url}/api/v1/notifications/unsubscribe/{token}"


def read(ring: KeyRing, token: str) -> tuple[UUID, str]:
    """Whose mails of which kind; raises `NotFound` for what we did not seal."""
    try:
        plain = ring.unseal(_PURPOSE, base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True))
    except (binascii.Error, ValueError, Unsealable):
        raise NotFound from None
    channel, _, kind = plain[16:].decode().partition(":")
    if channel != _CHANNEL or kind not in _KINDS:
        raise NotFound
    return UUID(bytes=plain[:16]), kind


def asking_page() -> str:
    """Asks to press a button; opening it, as scanners of mail do, changes nothing."""
    return files("memi.notifications").joinpath("templates/unsubscribe.html").read_text("utf-8")


def done_page() -> str:
    return files("memi.notifications").joinpath("templates/unsubscribed.html").read_text("utf-8")
