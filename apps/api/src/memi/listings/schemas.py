"""Shapes of listings: what sellers send and what everyone reads."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from pydantic import AfterValidator, ConfigDict, Field

from memi.media.schemas import RenditionRead
from memi.platform.validation import RequestList, RequestModel

MAX_IMAGES = 8
MAX_PRICE = 10_000_000_00
"""Minor units."""

StatusName = Literal["DRAFT", "ACTIVE", "RESERVED", "SOLD", "EXPIRED", "DELETED", "REMOVED"]


def _not_repeated(value: list[UUID]) -> list[UUID]:
    if len(set(value)) != len(value):
        raise ValueError("repeated: Names an upload more than once.")
    return value


def _each_once(value: list["ImageInput"]) -> list["ImageInput"]:
    _not_repeated([image.upload_id for image in value])
    return value


Title = Annotated[str, Field(min_length=3, max_length=120)]
Description = Annotated[str, Field(max_length=5000)]
Code = Annotated[str, Field(min_length=1, max_length=80)]
UploadIds = Annotated[list[UUID], Field(max_length=MAX_IMAGES), AfterValidator(_not_repeated)]
Attributes = Annotated[dict[str, Any], Field(max_length=64)]


class MoneyInput(RequestModel):
    """A price in minor units of the marketplace's one currency."""

    amount: Annotated[int, Field(strict=True, ge=1, le=MAX_PRICE)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class LocationInput(RequestModel):
    """Where the item is, in degrees; stored rounded to two decimals, about a kilometre."""

    lat: Annotated[float, Field(strict=True, ge=-90, le=90, allow_inf_nan=False)]
    lon: Annotated[float, Field(strict=True, ge=-180, le=180, allow_inf_nan=False)]


_EXAMPLE: dict[str, Any] = {
    "title": "Wool coat, hardly worn",
    "description": "Warm, no marks, from a smoke-free home.",
    "price": {"amount": 4500, "currency": "AZN"},
    "condition": "VERY_GOOD",
    "category": "women-clothes-coats-wool",
    "size": "M",
    "color": "BLACK",
    "brand": "Zara",
    "material": "WOOL",
    "city": "BAKU",
    "attributes": {"fit": "REGULAR", "season": ["AUTUMN", "WINTER"]},
    "images": ["01890a5d-ac96-774b-bcce-b302099a8057"],
}


class ListingCreate(RequestModel):
    """A draft needs only a title; `publish` asks for everything that publishing needs."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_EXAMPLE, "publish": True}, {"title": "Red shoes"}]})

    title: Title
    description: Description = ""
    price: MoneyInput | None = None
    condition: Code | None = None
    category: Code | None = None
    attributes: Attributes = Field(default_factory=dict)
    size: Code | None = None
    color: Code | None = None
    brand: Code | None = None
    material: Code | None = None
    city: Code | None = None
    location: LocationInput | None = None
    images: UploadIds = Field(default_factory=list)
    publish: Annotated[bool, Field(strict=True)] = False


class ListingUpdate(RequestModel):
    """A merge patch: absent fields stay, null clears; `attributes` and `images` are replaced whole."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"price": {"amount": 3900, "currency": "AZN"}, "size": None}]}
    )

    title: Title | None = None
    description: Description | None = None
    price: MoneyInput | None = None
    condition: Code | None = None
    category: Code | None = None
    attributes: Attributes | None = None
    size: Code | None = None
    color: Code | None = None
    brand: Code | None = None
    material: Code | None = None
    city: Code | None = None
    location: LocationInput | None = None
    images: UploadIds | None = None


class ImageInput(RequestModel):
    upload_id: UUID
    alt: Annotated[str, Field(max_length=300)] | None = None


class ImageOrder(RequestList[ImageInput]):
    """The pictures of a listing, in order; the first is the cover."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                [
                    {"upload_id": "01890a5d-ac96-774b-bcce-b302099a8057", "alt": "From the front"},
                    {"upload_id": "01890a5d-ac96-774b-bcce-b302099a8058"},
                ]
            ]
        }
    )

    root: Annotated[list[ImageInput], Field(max_length=MAX_IMAGES), AfterValidator(_each_once)]


class MyListingsQuery(RequestModel):
    """One's own listings, newest first; deleted ones only when asked for."""

    status: StatusName | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 24
    cursor: Annotated[str, Field(max_length=500)] | None = None


class Money(msgspec.Struct, frozen=True):
    """An amount in minor units."""

    amount: int
    currency: str


class Location(msgspec.Struct, frozen=True):
    lat: float
    lon: float


class CategoryStep(msgspec.Struct, frozen=True):
    slug: str
    name: str


class CategoryRead(msgspec.Struct, frozen=True):
    """The category, and the way to it from the root."""

    slug: str
    name: str
    path: list[CategoryStep]


class ListingImageRead(msgspec.Struct, frozen=True):
    """`url` and what follows from the picture are null until its `status` is READY; others see READY ones only."""

    id: UUID
    status: str
    url: str | None
    width: int | None
    height: int | None
    blurhash: str | None
    renditions: list[RenditionRead]
    alt: str | None


class Seller(msgspec.Struct, frozen=True):
    id: UUID
    name: str
    avatar_url: str | None


class ListingRead(msgspec.Struct, frozen=True):
    """A listing, whole."""

    id: UUID
    status: str
    title: str
    description: str
    price: Money | None
    condition: str | None
    category: CategoryRead | None
    attributes: dict[str, Any]
    size: str | None
    color: str | None
    brand: str | None
    material: str | None
    city: str | None
    location: Location | None
    images: list[ListingImageRead]
    seller: Seller
    favorite_count: int
    view_count: int
    version: int
    created_at: datetime
    published_at: datetime | None
    expires_at: datetime | None
    sold_at: datetime | None


class Cover(msgspec.Struct, frozen=True):
    url: str
    width: int
    height: int
    blurhash: str | None


class ListingStub(msgspec.Struct, frozen=True):
    """What remains readable for those who had to do with it. `available`: anyone may still open it."""

    id: UUID
    title: str
    price: Money | None
    status: str
    cover: Cover | None
    available: bool
