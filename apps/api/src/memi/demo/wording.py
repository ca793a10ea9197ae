"""Believable items: titles, descriptions, prices and codes that fit their category, in the languages sellers write."""

import random
from dataclasses import dataclass
from functools import lru_cache

from memi.catalog.reference import Color, Node, Size, leaves, load_reference

_LANGUAGES = ("az", "az", "az", "ru", "ru", "en")
"""How often a seller writes in each."""

_CONDITIONS = ("NEW_WITH_TAGS", "NEW", "VERY_GOOD", "VERY_GOOD", "GOOD", "GOOD", "GOOD", "FAIR")
_WORTH = {"NEW_WITH_TAGS": 1.0, "NEW": 0.85, "VERY_GOOD": 0.65, "GOOD": 0.45, "FAIR": 0.25}

_BASE_PRICES = (
    ("coats", 16_000),
    ("jackets", 11_000),
    ("suits", 14_000),
    ("blazers", 8_000),
    ("dresses-evening", 15_000),
    ("dresses-wedding", 38_000),
    ("dresses", 6_500),
    ("boots", 9_500),
    ("sneakers", 8_500),
    ("shoes", 6_500),
    ("watches", 15_000),
    ("jewellery", 4_500),
    ("luggage", 12_000),
    ("bags", 8_000),
    ("jeans", 5_000),
    ("knitwear", 4_500),
    ("kids", 2_500),
    ("accessories", 2_800),
)
_OTHERWISE = 3_800

_CLOTH = ("COTTON", "COTTON", "COTTON", "POLYESTER", "VISCOSE", "LINEN", "SATIN", "JERSEY")
_MATERIALS = (
    ("jewellery", ("GOLD", "SILVER", "STAINLESS_STEEL", "PEARL")),
    ("watches", ("STAINLESS_STEEL", "LEATHER", "METAL")),
    ("sunglasses", ("PLASTIC", "ACETATE", "METAL")),
    ("eyewear", ("PLASTIC", "ACETATE", "METAL")),
    ("umbrellas", ("POLYESTER", "NYLON")),
    ("sneakers", ("LEATHER", "SUEDE", "MESH", "CANVAS")),
    ("shoes", ("LEATHER", "SUEDE", "FAUX_LEATHER", "PATENT_LEATHER")),
    ("bags", ("LEATHER", "FAUX_LEATHER", "CANVAS", "NYLON")),
    ("belts", ("LEATHER", "FAUX_LEATHER")),
    ("wallets", ("LEATHER", "FAUX_LEATHER")),
    ("knitwear", ("WOOL", "MERINO", "CASHMERE", "ACRYLIC", "COTTON")),
    ("leather", ("LEATHER", "FAUX_LEATHER")),
    ("denim", ("DENIM",)),
    ("jeans", ("DENIM",)),
    ("coats", ("WOOL", "CASHMERE", "TWEED", "POLYESTER")),
    ("jackets", ("POLYESTER", "NYLON", "COTTON")),
)
"""Which materials suit a category, by the first part of its slug that matches."""

_OPENINGS = {
    "az": (
        "Yalnız bir neçə dəfə geyinilib.",
        "Demək olar ki, yenidir.",
        "Çox rahat və keyfiyyətlidir.",
        "Ölçüsü olmadı.",
    ),
    "ru": ("Надевали всего пару раз.", "Почти новая вещь.", "Очень удобно и качественно.", "Не подошёл размер."),
    "en": ("Worn only a few times.", "As good as new.", "Comfortable and well made.", "It did not fit me."),
}
_DETAILS = {
    "az": ("Ləkə və cırıq yoxdur.", "Siqaret çəkilməyən evdən.", "Quru təmizləmədən çıxıb.", "Şəkillər realdır."),
    "ru": ("Пятен и дефектов нет.", "Дома не курят.", "После химчистки.", "Фотографии настоящие."),
    "en": ("No stains, no holes.", "From a smoke-free home.", "Dry-cleaned.", "The photos are of the item itself."),
}
_CLOSINGS = {
    "az": ("Metroda görüşə bilərik.", "Qiymətdə razılaşarıq.", "Sualınız varsa, yazın.", "Bron etmək olar."),
    "ru": ("Встреча у метро.", "Возможен торг.", "Пишите, если есть вопросы.", "Могу отложить."),
    "en": ("We can meet at a metro station.", "Open to offers.", "Ask me anything.", "I can reserve it for you."),
}

SELLERS = (
    "Aysel", "Leyla", "Günay", "Nigar", "Sevinc", "Aygün", "Fidan", "Lalə", "Könül", "Turanə", "Rəşad", "Elvin",
    "Orxan", "Kamran", "Tural", "Murad", "Emin", "Анна", "Мария", "Ольга", "Екатерина", "Дмитрий",
    "Sara", "Amina", "Zeynəb",
)  # fmt: skip
"""First names for demo sellers."""


@dataclass(frozen=True)
class Item:
    """What a seller would enter. The price is in minor units."""

    language: str
    title: str
    description: str
    price: int
    condition: str
    category: str
    size: str | None
    color: str
    color_hex: str
    brand: str
    brand_slug: str
    material: str
    city: str


def make_item(seed: int) -> Item:
    """One believable item; the same seed gives the same item."""
    chance = random.Random(f"item:{seed}")  # noqa: S311  # nothing secret depends on it
    reference = load_reference()
    node = chance.choice(_sellable())
    language = chance.choice(_LANGUAGES)
    brand = chance.choice(reference.brands)
    color = chance.choice(_painted_colors())
    condition = chance.choice(_CONDITIONS)
    sizes = _sizes_of(node.size_group)
    # Half the offers come from the capital, as half the people do.
    city = reference.cities[0] if chance.random() < 0.5 else chance.choice(reference.cities)
    noun, shade = getattr(node.category.name, language), getattr(color.name, language)
    return Item(
        language=language,
        title=f"{noun} {brand.name}, {shade.lower()}"[:120],
        description=" ".join(chance.choice(part[language]) for part in (_OPENINGS, _DETAILS, _CLOSINGS)),
        price=_price(chance, node.category.slug, condition),
        condition=condition,
        category=node.category.slug,
        size=chance.choice(sizes).code if sizes else None,
        color=color.code,
        color_hex=color.hex or "#808080",
        brand=brand.name,
        brand_slug=brand.slug,
        material=chance.choice(_materials_of(node.category.slug)),
        city=city.code,
    )


def _price(chance: random.Random, slug: str, condition: str) -> int:
    base = next((price for part, price in _BASE_PRICES if part in slug), _OTHERWISE)
    amount = base * _WORTH[condition] * chance.lognormvariate(0, 0.35)
    # Sellers name round prices.
    return max(300, round(amount / 100) * 100)


def _materials_of(slug: str) -> tuple[str, ...]:
    return next((materials for part, materials in _MATERIALS if part in slug), _CLOTH)


@lru_cache(maxsize=1)
def _sellable() -> list[Node]:
    """Leaves that need no attribute."""
    return [
        node
        for node in leaves(load_reference().categories)
        if not any(attribute.required for attribute in node.attributes)
    ]


@lru_cache(maxsize=64)
def _sizes_of(group: str | None) -> list[Size]:
    return [size for size in load_reference().sizes if group in size.groups]


@lru_cache(maxsize=1)
def _painted_colors() -> list[Color]:
    return [color for color in load_reference().colors if color.hex]
