"""Tables of the catalogue's reference data. Names are `{"az": …, "en": …, "ru": …}`."""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from memi.platform.column_types import CreatedAt
from memi.platform.database import Base
from memi.platform.ids import new_id

Names = dict[str, str]


class Category(Base):
    """A node of the tree; `attributes` are its own definitions, inherited by all below it."""

    __tablename__ = "categories"
    __table_args__ = (
        Index("uq_categories_slug", "slug", unique=True),
        Index(None, "parent_id"),
        Index(None, "moving_to"),
        CheckConstraint("parent_id <> id", name="not_own_parent"),
        CheckConstraint("moving_to <> id", name="not_moving_to_itself"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    slug: Mapped[str] = mapped_column(Text)
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("categories.id", ondelete="RESTRICT"))
    name: Mapped[Names] = mapped_column(JSONB)
    position: Mapped[int] = mapped_column(Integer)
    image_url: Mapped[str | None] = mapped_column(Text)
    size_group: Mapped[str | None] = mapped_column(Text)
    attributes: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    version: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    moving_to: Mapped[UUID | None] = mapped_column(ForeignKey("categories.id", ondelete="RESTRICT"))
    """Where its listings are going; when the last has gone, so does the category."""


class CategoryEdit(Base):
    """A bundled category that an administrator changed or deleted: later editions of the data leave it alone."""

    __tablename__ = "category_edits"

    slug: Mapped[str] = mapped_column(Text, primary_key=True)
    edited_at: Mapped[CreatedAt]


class Brand(Base):
    __tablename__ = "brands"

    slug: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    folded: Mapped[str] = mapped_column(Text)
    """Name and aliases, folded for matching, one per line."""


class Size(Base):
    __tablename__ = "sizes"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[Names] = mapped_column(JSONB)
    system: Mapped[str] = mapped_column(Text)
    groups: Mapped[list[str]] = mapped_column(ARRAY(Text))
    conversions: Mapped[dict[str, dict[str, str]]] = mapped_column(JSONB)
    position: Mapped[int] = mapped_column(Integer)


class Color(Base):
    __tablename__ = "colors"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[Names] = mapped_column(JSONB)
    hex: Mapped[str | None] = mapped_column(Text)
    position: Mapped[int] = mapped_column(Integer)


class Material(Base):
    __tablename__ = "materials"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[Names] = mapped_column(JSONB)
    position: Mapped[int] = mapped_column(Integer)


class Condition(Base):
    __tablename__ = "conditions"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[Names] = mapped_column(JSONB)
    description: Mapped[Names] = mapped_column(JSONB)
    position: Mapped[int] = mapped_column(Integer)


class City(Base):
    __tablename__ = "cities"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[Names] = mapped_column(JSONB)
    lat: Mapped[float] = mapped_column(Float)
    lon: Mapped[float] = mapped_column(Float)
    position: Mapped[int] = mapped_column(Integer)


class ReferenceState(Base):
    """Which edition of the bundled reference data was written last."""

    __tablename__ = "reference_state"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    content_hash: Mapped[str] = mapped_column(Text)
