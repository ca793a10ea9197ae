"""Shapes of favourites."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from pydantic import Field

from memi.listings.schemas import Cover, Money
from memi.platform.validation import RequestModel


class FavoritesQuery(RequestModel):
    """One's own favourites, the latest first."""

    limit: Annotated[int, Field(ge=1, le=100)] = 24
    cursor: Annotated[str, Field(max_length=500)] | None = None


class FavoriteRead(msgspec.Struct, frozen=True):
    """A listing one likes; `id` is the listing's. One that is no longer shown keeps its place, with nothing said."""

    id: UUID
    available: bool
    status: str | None
    title: str | None
    price: Money | None
    cover: Cover | None
    favorited_at: datetime
