"""HTTP: the catalogue, public and cacheable, from memory."""

from typing import Any

from litestar import Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from memi.catalog import service, views
from memi.catalog.replies import Read, Rendered, provide_reader
from memi.catalog.schemas import (
    BrandQuery,
    BrandRead,
    CategoryRead,
    CategoryTree,
    CityRead,
    ColorRead,
    ConditionRead,
    ItemList,
    LanguageQuery,
    MaterialRead,
    SizeQuery,
    SizeRead,
)
from memi.platform.cursors import Page
from memi.platform.dependencies import QUERY_MODEL, App, query_of
from memi.platform.errors import InvalidCursor, NotFound, ValidationFailed
from memi.platform.problems import problems

LanguageAsked = NamedDependency[LanguageQuery]


def _answers(kind: Any, description: str) -> dict[int, ResponseSpec]:
    """The bodies are bytes made earlier, so what they hold has to be said here."""
    return {
        200: ResponseSpec(kind, generate_examples=False, description=description),
        304: ResponseSpec(None, generate_examples=False, description="What the client has is still right."),
        **problems(ValidationFailed),
    }


_LANGUAGE: dict[str, Any] = {
    "dependencies": {"filters": query_of(LanguageQuery)},
    "opt": {QUERY_MODEL: LanguageQuery},
}


@get("/categories", responses=_answers(ItemList[CategoryTree], "The whole tree."), **_LANGUAGE)
async def list_categories(filters: LanguageAsked, reader: Read) -> Response[bytes]:
    """Every category, as a tree."""
    lang = reader.language(filters.lang)
    return reader.reply(("categories", lang), lambda: views.tree(reader.snapshot, lang))


@get(
    "/categories/{slug:str}",
    responses={**_answers(CategoryRead, "The category."), **problems(NotFound)},
    **_LANGUAGE,
)
async def read_category(slug: FromPath[str], filters: LanguageAsked, reader: Read) -> Response[bytes]:
    """A category: the path to it, what is below it, and the attributes its listings have."""
    node = reader.snapshot.category(slug)
    if node is None:
        raise NotFound
    lang = reader.language(filters.lang)
    return reader.reply(("category", node.slug, lang), lambda: views.category(node, lang))


@get(
    "/sizes",
    dependencies={"filters": query_of(SizeQuery)},
    opt={QUERY_MODEL: SizeQuery},
    responses=_answers(ItemList[SizeRead], "Sizes in display order."),
)
async def list_sizes(filters: NamedDependency[SizeQuery], reader: Read) -> Response[bytes]:
    """Sizes, with what they are in other systems; those of one category with `category`."""
    lang = reader.language(filters.lang)
    node = None
    if filters.category is not None:
        node = reader.snapshot.category(filters.category)
        if node is None:
            raise ValidationFailed.of("/category", "unknown_value", "There is no such category.")
    key = ("sizes", node.slug if node else None, lang)
    return reader.reply(key, lambda: views.sizes(reader.snapshot, node, lang))


@get("/colors", responses=_answers(ItemList[ColorRead], "Colours in display order."), **_LANGUAGE)
async def list_colors(filters: LanguageAsked, reader: Read) -> Response[bytes]:
    """Colours."""
    lang = reader.language(filters.lang)
    return reader.reply(("colors", lang), lambda: views.colors(reader.snapshot, lang))


@get("/materials", responses=_answers(ItemList[MaterialRead], "Materials in display order."), **_LANGUAGE)
async def list_materials(filters: LanguageAsked, reader: Read) -> Response[bytes]:
    """Materials."""
    lang = reader.language(filters.lang)
    return reader.reply(("materials", lang), lambda: views.materials(reader.snapshot, lang))


@get("/conditions", responses=_answers(ItemList[ConditionRead], "Conditions, best first."), **_LANGUAGE)
async def list_conditions(filters: LanguageAsked, reader: Read) -> Response[bytes]:
    """Conditions an item may be in."""
    lang = reader.language(filters.lang)
    return reader.reply(("conditions", lang), lambda: views.conditions(reader.snapshot, lang))


@get("/cities", responses=_answers(ItemList[CityRead], "Cities in display order."), **_LANGUAGE)
async def list_cities(filters: LanguageAsked, reader: Read) -> Response[bytes]:
    """Cities, with their coordinates."""
    lang = reader.language(filters.lang)
    return reader.reply(("cities", lang), lambda: views.cities(reader.snapshot, lang))


@get(
    "/brands",
    dependencies={"filters": query_of(BrandQuery)},
    opt={QUERY_MODEL: BrandQuery},
    responses={**_answers(Page[BrandRead], "Known brands."), **problems(ValidationFailed, InvalidCursor)},
)
async def list_brands(filters: NamedDependency[BrandQuery], reader: Read, app: App) -> Response[bytes]:
    """Known brands: those that `q` begins or nearly spells, the likeliest first, or all of them by name."""
    page = await service.find_brands(app.database.hot, app.cursors, reader.snapshot, filters)
    return reader.send(Rendered.of(page))


router = Router(
    "",
    route_handlers=[
        list_categories,
        read_category,
        list_sizes,
        list_colors,
        list_materials,
        list_conditions,
        list_cities,
        list_brands,
    ],
    dependencies={"reader": Provide(provide_reader)},
    tags=["catalog"],
)
