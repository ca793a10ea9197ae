"""Shapes of editing the tree of categories."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

import msgspec
from pydantic import AfterValidator, ConfigDict, Field, model_validator

from memi.catalog.snapshot import Names
from memi.platform.validation import RequestModel

Slug = Annotated[str, Field(max_length=80, pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$")]
Code = Annotated[str, Field(max_length=40, pattern=r"^[A-Z0-9]+(?:[._-][A-Z0-9]+)*$")]
Key = Annotated[str, Field(max_length=40, pattern=r"^[a-z][a-z0-9_]*$")]
Text = Annotated[str, Field(min_length=1, max_length=80)]
WhyText = Annotated[str, Field(min_length=3, max_length=500)]


class Translation(RequestModel):
    """One text in each of the site's languages."""

    az: Text
    en: Text
    ru: Text


class OptionInput(RequestModel):
    code: Code
    label: Translation


class AttributeInput(RequestModel):
    """What listings of the category, and of all below it, say. `unit` is for numbers, `options` for enumerations."""

    key: Key
    type: Literal["enum", "multi_enum", "text", "integer", "decimal", "boolean"]
    label: Translation
    filterable: bool = False
    required: bool = False
    unit: Annotated[str, Field(min_length=1, max_length=20)] | None = None
    options: Annotated[list[OptionInput], Field(max_length=200)] = Field(default_factory=list[OptionInput])

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.type in ("enum", "multi_enum")) != bool(self.options):
            raise ValueError("bad_options: enum and multi_enum have options, the other types none.")
        if len({option.code for option in self.options}) != len(self.options):
            raise ValueError("repeated: Names an option more than once.")
        if self.unit is not None and self.type not in ("integer", "decimal"):
            raise ValueError("bad_unit: Only a number has a unit.")
        return self


def _each_once(value: list[AttributeInput]) -> list[AttributeInput]:
    if len({attribute.key for attribute in value}) != len(value):
        raise ValueError("repeated: Defines an attribute more than once.")
    return value


Attributes = Annotated[list[AttributeInput], Field(max_length=40), AfterValidator(_each_once)]
Position = Annotated[int, Field(ge=0, le=10_000)]
ImageUrl = Annotated[str, Field(max_length=500, pattern=r"^https://[^\s]+$")]
_EXAMPLE: dict[str, Any] = {
    "slug": "women-clothes-ponchos",
    "parent": "women-clothes",
    "name": {"az": "Ponçolar", "en": "Ponchos", "ru": "Пончо"},
    "attributes": [
        {"key": "hood", "type": "boolean", "label": {"az": "Kapüşon", "en": "Hood", "ru": "Капюшон"}},
    ],
}


class CategoryCreate(RequestModel):
    """Without `parent` a root, without `position` the last among its siblings. A leaf needs a size group on its way."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    slug: Slug
    parent: Slug | None = None
    name: Translation
    position: Position | None = None
    image_url: ImageUrl | None = None
    size_group: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    attributes: Attributes = Field(default_factory=list[AttributeInput])
    reason: WhyText | None = None


class CategoryUpdate(RequestModel):
    """A merge patch: absent fields stay; `parent: null` makes a root; `attributes` are replaced whole."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": {"az": "Plaşlar", "en": "Capes", "ru": "Плащи"}, "reason": "The word people search for"},
                {"parent": "women-accessories", "position": 3},
            ]
        }
    )

    parent: Slug | None = None
    name: Translation | None = None
    position: Position | None = None
    image_url: ImageUrl | None = None
    size_group: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    attributes: Attributes | None = None
    reason: WhyText | None = None


class CategoryDeletion(RequestModel):
    move_to: Annotated[Slug, Field(description="The leaf that its listings go to.")] | None = None
    reason: WhyText | None = None


class EditedCategory(msgspec.Struct):
    """A category as it is stored: its own attributes, without those it inherits."""

    id: UUID
    slug: str
    parent: str | None
    name: Names
    position: int
    image_url: str | None
    size_group: str | None
    attributes: list[dict[str, Any]]
    moving_to: str | None
    version: int


class CategoryGone(msgspec.Struct):
    """`moved` listings went to `moved_to` by now. MOVING: the rest follows, and the category goes with the last."""

    slug: str
    status: Literal["DELETED", "MOVING"]
    moved_to: str | None
    moved: int
