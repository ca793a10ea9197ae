"""What plug-ins say about a listing that is shown: its price, and how likely it is a fraud. They may be absent."""

from sqlalchemy.ext.asyncio import AsyncSession

from memi.intelligence import service as intelligence
from memi.intelligence.ports import FRAUD_SCORER, PRICE_ADVISER, FraudQuestion, FraudScore, SellerStanding
from memi.listings import advice, advice_queries, queries
from memi.listings.events import ListingMoved
from memi.listings.lifecycle import BROWSABLE
from memi.listings.models import Listing
from memi.platform import clock
from memi.platform.errors import NotFound
from memi.platform.events import durable
from memi.platform.settings import Settings
from memi.platform.unit_of_work import adapters_of
from memi.users import service as users

ASKS = (FRAUD_SCORER, PRICE_ADVISER)
FRAUD = "FRAUD"


@durable(ListingMoved)
async def assess(event: ListingMoved, session: AsyncSession) -> None:
    """When a draft is shown, or an expired listing again."""
    if event.move not in ("publish", "relist"):
        return
    listing = await queries.by_id(session, event.listing_id)
    if listing is None or listing.status not in BROWSABLE:
        return
    plugins = intelligence.intelligence_of(session)
    if plugins.has(PRICE_ADVISER):
        answer = await plugins.ask(PRICE_ADVISER, await advice.price_question(session, listing))
        await intelligence.record(session, answer, "LISTING", listing.id, user_id=listing.seller_id)
    if plugins.has(FRAUD_SCORER):
        await _score(session, listing)


async def _score(session: AsyncSession, listing: Listing) -> None:
    standing = await _standing(session, listing)
    if standing is None:
        return
    question = FraudQuestion(item=await advice.item_of(session, listing), seller=standing)
    answer = await intelligence.intelligence_of(session).ask(FRAUD_SCORER, question)
    await intelligence.record(session, answer, "LISTING", listing.id, user_id=listing.seller_id)
    threshold = adapters_of(session).get(Settings).intelligence_fraud_score
    if answer.value is not None and answer.value.score >= threshold:
        await advice_queries.flag(session, listing.id, FRAUD, _note(answer.value))


async def _standing(session: AsyncSession, listing: Listing) -> SellerStanding | None:
    """None when the seller was blocked or deleted meanwhile, which hides the listing too."""
    try:
        profile = (await users.public_profile(session, listing.seller_id)).profile
    except NotFound:
        return None
    seller = await users.get(session, listing.seller_id)
    return SellerStanding(
        days=max(0, (clock.now() - profile.member_since).days),
        has_verified_address=seller.email_verified_at is not None,
        active_listings=profile.active_listing_count,
        sold_listings=profile.sold_count,
    )


def _note(score: FraudScore) -> str:
    return "; ".join((f"score {score.score:.2f}", *score.reasons))
