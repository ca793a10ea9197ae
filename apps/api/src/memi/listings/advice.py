"""What plug-ins are asked about a listing, and what its seller gets to read of it."""

from collections.abc import Sequence
from copy import deepcopy
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from memi.catalog import service as catalog
from memi.catalog.snapshot import CatalogSnapshot
from memi.intelligence import service as intelligence
from memi.intelligence.buffer import VerdictBuffer
from memi.intelligence.ports import CATEGORY_TAGGER, PRICE_ADVISER, Comparable, Item, PriceQuestion
from memi.intelligence.service import Intelligence
from memi.listings import advice_queries, queries
from memi.listings.advice_schemas import CategorySuggestion, CategorySuggestions, PriceAdviceRead
from memi.listings.errors import NoPriceAdvice
from memi.listings.lifecycle import Status
from memi.listings.models import Listing
from memi.listings.rendering import category_of
from memi.listings.schemas import Money
from memi.platform.runtime import Runtime

_MOST_COMPARABLES = 50
_MOST_SUGGESTIONS = 5
_MOST_TAGS = 20


async def item_of(session: AsyncSession, listing: Listing) -> Item:
    """The listing as plug-ins see it: nothing of it says who sells it."""
    snapshot = await catalog.snapshot(session)
    return Item(
        listing_id=listing.id,
        title=listing.title,
        description=listing.description,
        price=listing.price_amount,
        currency=listing.currency,
        categories=_path(snapshot, listing.category_id),
        condition=listing.condition,
        size=listing.size,
        color=listing.color,
        brand=listing.brand,
        material=listing.material,
        city=listing.city,
        attributes=deepcopy(listing.attributes),
        pictures=await advice_queries.count_images(session, listing.id),
    )


def _path(snapshot: CatalogSnapshot, category_id: UUID | None) -> tuple[str, ...]:
    node = None if category_id is None else snapshot.category_by_id(category_id)
    return () if node is None else tuple(step.slug for step in node.path)


async def price_question(session: AsyncSession, listing: Listing) -> PriceQuestion:
    """With what others of its category cost; nothing to compare with while it has none."""
    others: Sequence[Listing] = (
        [] if listing.category_id is None else await advice_queries.comparables(session, listing, _MOST_COMPARABLES)
    )
    return PriceQuestion(
        item=await item_of(session, listing),
        comparables=tuple(
            Comparable(
                price=other.price_amount,
                condition=other.condition,
                size=other.size,
                brand=other.brand,
                material=other.material,
                is_sold=other.status == Status.SOLD,
            )
            for other in others
            if other.price_amount is not None and other.condition is not None
        ),
    )


async def price_advice(app: Runtime, listing: Listing) -> PriceAdviceRead:
    """What the plug-in says, within its time; no connection is kept meanwhile. Raises `NoPriceAdvice`."""
    plugins = app.adapters.get(Intelligence)
    if not plugins.has(PRICE_ADVISER):
        raise NoPriceAdvice
    async with app.unit_of_work() as session:
        question = await price_question(session, listing)
    answer = await plugins.ask(PRICE_ADVISER, question)
    intelligence.note(app.adapters.get(VerdictBuffer), answer, "LISTING", listing.id, user_id=listing.seller_id)
    advice = answer.value
    if advice is None:
        raise NoPriceAdvice
    low, typical, high = (Money(amount, listing.currency) for amount in (advice.low, advice.typical, advice.high))
    return PriceAdviceRead(low, typical, high, advice.based_on)


async def category_suggestions(session: AsyncSession, listing: Listing, lang: str = "az") -> CategorySuggestions:
    """What was said of its pictures, put together: each category by the picture that shows it best."""
    uploads = [image.upload_id for image in await queries.images(session, [listing.id])]
    snapshot = await catalog.snapshot(session)
    confidence: dict[UUID, float] = {}
    tags: dict[str, None] = {}
    found = await intelligence.latest(session, CATEGORY_TAGGER, uploads)
    for upload_id in uploads:
        said = found.get(upload_id)
        if said is None:
            continue
        tags.update(dict.fromkeys(said.tags))
        for guess in said.categories:
            node = snapshot.category(guess.category)
            if node is not None:
                confidence[node.id] = max(guess.confidence, confidence.get(node.id, 0.0))
    best = sorted(confidence, key=lambda category_id: (-confidence[category_id], category_id))[:_MOST_SUGGESTIONS]
    items: list[CategorySuggestion] = []
    for category_id in best:
        category = category_of(snapshot, category_id, lang)
        assert category is not None
        items.append(CategorySuggestion(category, confidence[category_id]))
    return CategorySuggestions(items, list(tags)[:_MOST_TAGS])
