"""The plug-ins by themselves; memi's own tests install the package and see it act."""

import asyncio
from uuid import UUID

import pytest
from memi_example_plugin.prices import MedianPriceAdviser
from memi_example_plugin.words import WordListModerator

from memi.intelligence.ports import (
    CHAT_MODERATOR,
    PRICE_ADVISER,
    ChatMessage,
    ChatModerator,
    Comparable,
    Item,
    PriceAdviser,
    PriceQuestion,
)

ITEM = Item(
    listing_id=UUID(int=1),
    title="Wool coat",
    description="",
    price=4500,
    currency="AZN",
    categories=("women", "women-clothes", "women-clothes-coats"),
    condition="GOOD",
    size="M",
    color=None,
    brand=None,
    material=None,
    city=None,
    attributes={},
    pictures=1,
)


def question(*prices: int, condition: str = "GOOD") -> PriceQuestion:
    others = (
        Comparable(price=price, condition=condition, size=None, brand=None, material=None, is_sold=False)
        for price in prices
    )
    return PriceQuestion(item=ITEM, comparables=tuple(others))


def kinds(text: str) -> list[str]:
    review = asyncio.run(WordListModerator().review(ChatMessage(text=text, number=1, by_seller=False)))
    return [concern.kind for concern in review.concerns]


def test_they_fit_their_ports() -> None:
    adviser: PriceAdviser = MedianPriceAdviser()
    moderator: ChatModerator = WordListModerator()
    assert hasattr(adviser, PRICE_ADVISER.method)
    assert hasattr(moderator, CHAT_MODERATOR.method)


def test_the_middle_of_what_others_cost() -> None:
    advice = MedianPriceAdviser().advise(question(1000, 9000, 5000, 3000, 7000))
    assert advice is not None
    assert (advice.low, advice.typical, advice.high, advice.based_on) == (3000, 5000, 7000, 5)


def test_two_others_say_nothing() -> None:
    assert MedianPriceAdviser().advise(question(1000, 2000)) is None


def test_those_in_the_same_condition_count_when_there_are_enough() -> None:
    worn, same = question(100, 100, 100, condition="FAIR"), question(4000, 5000, 6000)
    both = PriceQuestion(item=ITEM, comparables=(*worn.comparables, *same.comparables))
    advice = MedianPriceAdviser().advise(both)
    assert advice is not None
    assert (advice.typical, advice.based_on) == (5000, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Is it still there?", []),
        ("Write me on WhatsApp", ["CONTACT"]),
        ("Нужна предоплата, дурак", ["ABUSE", "SCAM"]),
        ("An idiotic price", []),
    ],
)
def test_words_are_found_whole_and_in_any_case(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected
