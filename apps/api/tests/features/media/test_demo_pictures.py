"""The drawn demo photos pass the shop's own picture pipeline and differ like a real shelf does."""

from pathlib import Path

import pytest

from memi.demo.pictures import draw_picture
from memi.demo.silhouettes import SILHOUETTES, shapes_for
from memi.media.images import process_image


def test_a_drawn_picture_is_an_acceptable_photo(tmp_path: Path) -> None:
    path = tmp_path / "drawn.jpg"
    path.write_bytes(draw_picture(7, category="women-clothes-dresses", color_hex="#c0392b"))
    result = process_image(path, declared_type="image/jpeg")
    assert (result.width, result.height) == (1500, 2000)


def test_the_same_seed_draws_the_same_bytes_and_another_seed_others() -> None:
    def draw(seed: int) -> bytes:
        return draw_picture(seed, category="men-shoes-sneakers", color_hex="#33476b", width=301, height=401)

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


@pytest.mark.parametrize("color_hex", ["red", "#12", "#gggggg"])
def test_a_colour_must_be_written_in_six_digits(color_hex: str) -> None:
    with pytest.raises(ValueError, match=r"colour|hexadecimal"):
        draw_picture(1, category="men-shoes", color_hex=color_hex)


@pytest.mark.parametrize(
    ("category", "shape"),
    [
        ("women-clothes-dresses", "dress"),
        ("men-shoes-sneakers", "sneaker"),
        ("kids-shoes-girls-boots", "boot"),
        ("men-clothes-jeans", "trousers"),
        ("kids-bags-backpacks", "backpack"),
        ("kids-accessories-girls-jewellery", "jewellery"),
        ("kids-clothes-boys-t-shirts", "tee"),
        ("something-new", "tee"),
    ],
)
def test_the_shape_suits_the_category(category: str, shape: str) -> None:
    assert shape in shapes_for(category)


@pytest.mark.parametrize("name", SILHOUETTES)
def test_every_shape_is_reached_by_some_category(name: str) -> None:
    words = [
        "dresses",
        "skirts",
        "shorts",
        "jeans",
        "t-shirts",
        "shirts",
        "hoodies",
        "knitwear",
        "coats",
        "jackets",
        "rompers",
        "swimwear",
        "sneakers",
        "boots",
        "sandals",
        "heels",
        "bags-totes",
        "bags",
        "bags-backpacks",
        "hats",
        "beanies",
        "scarves",
        "belts",
        "sunglasses",
        "jewellery",
        "watches",
    ]
    assert any(name in shapes_for(f"women-x-{word}") for word in words)
