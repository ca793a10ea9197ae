"""The catalogue as clients read it, in one language. Pure."""

import msgspec

from memi.catalog.reference import Attribute
from memi.catalog.schemas import (
    AttributeRead,
    CategoryRead,
    CategoryStub,
    CategoryTree,
    CityRead,
    ColorRead,
    ConditionRead,
    ItemList,
    Language,
    MaterialRead,
    OptionRead,
    SizeRead,
)
from memi.catalog.snapshot import CatalogSnapshot, CategoryNode, SizeEntry

LANGUAGES: tuple[Language, ...] = ("az", "en", "ru")


def preferred_language(accept_language: str | None) -> Language:
    """The site's language that an Accept-Language header wants most; `az` when it wants none of them."""
    best = 0.0
    chosen: Language = "az"
    for part in (accept_language or "").split(","):
        tag, _, weight = part.partition(";")
        wanted = tag.strip().lower().partition("-")[0]
        language: Language | None = next((item for item in LANGUAGES if item == wanted), None)
        quality = _quality(weight)
        if language is not None and quality > best:
            best, chosen = quality, language
    return chosen


def _quality(weight: str) -> float:
    value = weight.strip().lower().removeprefix("q=")
    try:
        return float(value) if value else 1.0
    except ValueError:
        return 0.0


def tree(snapshot: CatalogSnapshot, lang: Language) -> ItemList[CategoryTree]:
    return ItemList([_tree(root, lang) for root in snapshot.roots])


def category(node: CategoryNode, lang: Language) -> CategoryRead:
    return CategoryRead(
        id=node.id,
        slug=node.slug,
        name=node.name[lang],
        names=node.name,
        image_url=node.image_url,
        is_leaf=node.is_leaf,
        size_group=node.size_group,
        path=[CategoryStub(step.id, step.slug, step.name[lang], step.name) for step in node.path],
        children=[_tree(child, lang) for child in node.children],
        attributes=[_attribute(attribute, lang) for attribute in node.schema],
    )


def sizes(snapshot: CatalogSnapshot, node: CategoryNode | None, lang: Language) -> ItemList[SizeRead]:
    """All sizes, or those that items in `node` and below it may have, with the conversions that matter there."""
    return ItemList(
        [
            _size(entry, entry.groups if node is None else tuple(node.size_groups), lang)
            for entry in snapshot.sizes
            if node is None or not node.size_groups.isdisjoint(entry.groups)
        ]
    )


def colors(snapshot: CatalogSnapshot, lang: Language) -> ItemList[ColorRead]:
    return ItemList([ColorRead(item.code, item.name[lang], item.name, item.hex) for item in snapshot.colors])


def materials(snapshot: CatalogSnapshot, lang: Language) -> ItemList[MaterialRead]:
    return ItemList([MaterialRead(item.code, item.name[lang], item.name) for item in snapshot.materials])


def conditions(snapshot: CatalogSnapshot, lang: Language) -> ItemList[ConditionRead]:
    return ItemList(
        [
            ConditionRead(item.code, item.name[lang], item.name, item.description[lang], item.description)
            for item in snapshot.conditions
        ]
    )


def cities(snapshot: CatalogSnapshot, lang: Language) -> ItemList[CityRead]:
    return ItemList([CityRead(item.code, item.name[lang], item.name, item.lat, item.lon) for item in snapshot.cities])


def _tree(node: CategoryNode, lang: Language) -> CategoryTree:
    return CategoryTree(
        id=node.id,
        slug=node.slug,
        name=node.name[lang],
        names=node.name,
        image_url=node.image_url,
        is_leaf=node.is_leaf,
        children=[_tree(child, lang) for child in node.children],
    )


def _attribute(attribute: Attribute, lang: Language) -> AttributeRead:
    labels = msgspec.structs.asdict(attribute.label)
    options: list[OptionRead] = []
    for option in attribute.options:
        texts = msgspec.structs.asdict(option.label)
        options.append(OptionRead(option.code, texts[lang], texts))
    return AttributeRead(
        key=attribute.key,
        type=attribute.type,
        label=labels[lang],
        labels=labels,
        unit=attribute.unit,
        required=attribute.required,
        filterable=attribute.filterable,
        options=options,
    )


def _size(entry: SizeEntry, groups: tuple[str, ...], lang: Language) -> SizeRead:
    return SizeRead(
        code=entry.code,
        name=entry.name[lang],
        names=entry.name,
        system=entry.system,
        groups=[group for group in entry.groups if group in groups],
        conversions={group: known for group, known in entry.conversions.items() if group in groups},
    )
