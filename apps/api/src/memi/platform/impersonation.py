"""Acting in somebody else's place: what a token with `act` may do, and the port by which it is written down.

A route that does not say otherwise in its `opt` is refused, so that a new one is closed until somebody decides.
"""

from enum import StrEnum
from typing import Protocol

from litestar.handlers import BaseRouteHandler
from sqlalchemy.ext.asyncio import AsyncSession

from memi.platform.errors import NotWhileImpersonating
from memi.platform.principal import Principal

IMPERSONATION = "impersonation"
"""In the `opt` of a route that is open to who acts in somebody else's place: an `OpenTo`."""


class OpenTo(StrEnum):
    """Whom among them a route is open to."""

    ALL = "all"
    CHATS = "chats"
    """Only who may read chats as well."""


class ImpersonationLog(Protocol):
    """Writes down what is done in somebody else's place."""

    async def note(self, session: AsyncSession, principal: Principal, method: str, path: str) -> None:
        """With the deed or not at all; raises `InvalidToken` when it may not be done any more."""
        ...


def refuse_in_anothers_place(principal: Principal, handler: BaseRouteHandler) -> None:
    """Raises `NotWhileImpersonating` unless the route is open; returns at once for who is themselves."""
    if principal.impersonator_id is None:
        return
    open_to = handler.opt.get(IMPERSONATION)
    if open_to is None or (open_to is OpenTo.CHATS and not principal.may_read_chats):
        raise NotWhileImpersonating


def must_be_noted(method: str, handler: BaseRouteHandler) -> bool:
    """What changes something, and what shows what people wrote to each other."""
    return method not in ("GET", "HEAD") or handler.opt.get(IMPERSONATION) is OpenTo.CHATS
