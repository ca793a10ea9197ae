"""Pages of admin collections: newest first, keyed by time and id."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from memi.admin.schemas import PageQuery
from memi.platform.cursors import Page
from memi.platform.runtime import Runtime

T = TypeVar("T")


def position(runtime: Runtime, scope: str, query: PageQuery) -> tuple[datetime, UUID] | None:
    """Where the page begins: time and id of the last item before it. Raises `InvalidCursor`."""
    if query.cursor is None:
        return None
    values: Any = runtime.cursors.decode(scope, query.cursor, (datetime, UUID))
    return values


def page_of(
    runtime: Runtime, scope: str, query: PageQuery, found: list[T], key: Callable[[T], tuple[datetime, UUID]]
) -> Page[T]:
    """`found` was asked for one more than the limit, which tells whether there is a next page."""
    items = found[: query.limit]
    more = len(found) > query.limit
    return Page(items, runtime.cursors.encode(scope, *key(items[-1])) if more else None)
