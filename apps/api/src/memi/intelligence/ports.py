"""What plug-ins are asked, and how they may answer: everything that an extension imports. docs/plugins.md tells more.

Methods take one question and may be plain or `async`; None says nothing. Money is in minor units of the question's
currency. Whatever breaks the bounds written here counts as no answer at all.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar
from uuid import UUID

from msgspec import Meta, Struct

Q = TypeVar("Q")
A = TypeVar("A")
Maybe = Awaitable[A | None] | A | None
"""What a method gives: an answer or None, or, of an `async` one, something to wait for that gives it."""
Amount = Annotated[int, Meta(ge=1, le=10**15)]
Likelihood = Annotated[float, Meta(ge=0, le=1)]
Words = Annotated[str, Meta(min_length=1, max_length=300)]
Slug = Annotated[str, Meta(min_length=1, max_length=80)]
ConcernKind = Literal["ABUSE", "CONTACT", "LINK", "SCAM", "SPAM", "OTHER"]


class Item(Struct, frozen=True, kw_only=True):
    """What a listing says. `categories` are slugs from the root to the listing's own; codes are the catalogue's."""

    listing_id: UUID
    title: str
    description: str
    price: int | None
    currency: str
    categories: tuple[str, ...]
    condition: str | None
    size: str | None
    color: str | None
    brand: str | None
    material: str | None
    city: str | None
    attributes: dict[str, Any]
    pictures: int
    """How many."""


class Comparable(Struct, frozen=True, kw_only=True):
    """Another listing of the same category. What is sold was sold at about this price; the rest is asked."""

    price: int
    condition: str
    size: str | None
    brand: str | None
    material: str | None
    is_sold: bool


class PriceQuestion(Struct, frozen=True, kw_only=True):
    """`comparables`: the newest first, at most 50, all in the item's currency."""

    item: Item
    comparables: tuple[Comparable, ...]


class PriceAdvice(Struct, frozen=True, kw_only=True):
    """`low` to `high` is where it would sell; `based_on` counts what was looked at."""

    low: Amount
    typical: Amount
    high: Amount
    based_on: Annotated[int, Meta(ge=0, le=10**9)] = 0

    def __post_init__(self) -> None:
        if not self.low <= self.typical <= self.high:
            raise ValueError("needs low <= typical <= high")


class Picture(Struct, frozen=True, kw_only=True):
    """A finished picture, without its metadata. `categories`: the slugs that a listing can be in."""

    data: bytes
    content_type: str
    width: int
    height: int
    categories: tuple[str, ...]


class CategoryGuess(Struct, frozen=True, kw_only=True):
    category: Slug
    confidence: Likelihood


class PictureTags(Struct, frozen=True, kw_only=True):
    """What is in the picture, and which categories that suggests; unknown slugs are left out when they are shown."""

    tags: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=50)], ...], Meta(max_length=20)] = ()
    categories: Annotated[tuple[CategoryGuess, ...], Meta(max_length=10)] = ()


class SellerStanding(Struct, frozen=True, kw_only=True):
    """How established the seller is, not who it is."""

    days: int
    """Since signing up."""
    has_verified_address: bool
    active_listings: int
    sold_listings: int


class FraudQuestion(Struct, frozen=True, kw_only=True):
    item: Item
    seller: SellerStanding


class FraudScore(Struct, frozen=True, kw_only=True):
    """`score` 0 is harmless, 1 is certainly fraud; moderators read the `reasons`."""

    score: Likelihood
    reasons: Annotated[tuple[Words, ...], Meta(max_length=5)] = ()


class RecommendationQuestion(Struct, frozen=True, kw_only=True):
    """For whom, and how many can be shown."""

    viewer_id: UUID
    limit: int


class Recommendations(Struct, frozen=True, kw_only=True):
    """The best first. What cannot be shown, and what is the viewer's own, is left out."""

    listing_ids: Annotated[tuple[UUID, ...], Meta(max_length=200)]


class Candidate(Struct, frozen=True, kw_only=True):
    """A listing of the page; `category` is its slug."""

    listing_id: UUID
    title: str
    category: str
    price: int
    condition: str
    brand: str | None
    size: str | None
    city: str | None
    published_at: datetime


class FeedQuestion(Struct, frozen=True, kw_only=True):
    """One page of the feed, in the order it has without ranking."""

    viewer_id: UUID
    candidates: tuple[Candidate, ...]


class FeedOrder(Struct, frozen=True, kw_only=True):
    """The same ids, best first. Others are ignored, and what is not named follows in its old order."""

    listing_ids: Annotated[tuple[UUID, ...], Meta(max_length=1000)]


class ChatMessage(Struct, frozen=True, kw_only=True):
    """What somebody wrote. `number` is its place in the chat, from 1."""

    text: str
    number: int
    by_seller: bool


class Concern(Struct, frozen=True, kw_only=True):
    """Why moderators should look."""

    kind: ConcernKind
    note: Words | None = None


class Review(Struct, frozen=True, kw_only=True):
    """No concerns: nothing is wrong with it."""

    concerns: Annotated[tuple[Concern, ...], Meta(max_length=5)] = ()


class PriceAdviser(Protocol):
    """Asked when a listing is shown, and whenever its seller wants to know."""

    def advise(self, question: PriceQuestion, /) -> Maybe[PriceAdvice]: ...


class CategoryTagger(Protocol):
    """Asked when a picture is finished."""

    def tag(self, picture: Picture, /) -> Maybe[PictureTags]: ...


class FraudScorer(Protocol):
    """Asked when a listing is shown."""

    def score(self, question: FraudQuestion, /) -> Maybe[FraudScore]: ...


class Recommender(Protocol):
    """Asked when somebody who is signed in wants recommendations."""

    def recommend(self, question: RecommendationQuestion, /) -> Maybe[Recommendations]: ...


class FeedRanker(Protocol):
    """Asked for each page of the feed of somebody who is signed in."""

    def rank(self, question: FeedQuestion, /) -> Maybe[FeedOrder]: ...


class ChatModerator(Protocol):
    """Asked after a message was sent; it cannot hold it up."""

    def review(self, message: ChatMessage, /) -> Maybe[Review]: ...


@dataclass(frozen=True)
class Port(Generic[Q, A]):
    """Where a plug-in is plugged in: the name of its entry point, the method it must have, what it answers with."""

    name: str
    method: str
    question: type[Q]
    answer: type[A]


PRICE_ADVISER = Port("price_adviser", "advise", PriceQuestion, PriceAdvice)
CATEGORY_TAGGER = Port("category_tagger", "tag", Picture, PictureTags)
FRAUD_SCORER = Port("fraud_scorer", "score", FraudQuestion, FraudScore)
RECOMMENDER = Port("recommender", "recommend", RecommendationQuestion, Recommendations)
FEED_RANKER = Port("feed_ranker", "rank", FeedQuestion, FeedOrder)
CHAT_MODERATOR = Port("chat_moderator", "review", ChatMessage, Review)

PORTS: dict[str, Port[Any, Any]] = {
    port.name: port for port in (PRICE_ADVISER, CATEGORY_TAGGER, FRAUD_SCORER, RECOMMENDER, FEED_RANKER, CHAT_MODERATOR)
}


class Silent:
    """The default at every port: it has nothing to say, which is also what stands in for a plug-in that fails."""

    def advise(self, question: PriceQuestion, /) -> PriceAdvice | None:
        return None

    def tag(self, picture: Picture, /) -> PictureTags | None:
        return None

    def score(self, question: FraudQuestion, /) -> FraudScore | None:
        return None

    def recommend(self, question: RecommendationQuestion, /) -> Recommendations | None:
        return None

    def rank(self, question: FeedQuestion, /) -> FeedOrder | None:
        return None

    def review(self, message: ChatMessage, /) -> Review | None:
        return None


SILENT = Silent()
DEFAULTS: tuple[PriceAdviser, CategoryTagger, FraudScorer, Recommender, FeedRanker, ChatModerator] = (
    SILENT,
    SILENT,
    SILENT,
    SILENT,
    SILENT,
    SILENT,
)
"""That it fits every port is checked here, by the type checker."""
