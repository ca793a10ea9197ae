"""HTTP: what plug-ins say about a listing, for its seller."""

from litestar import Router, get
from litestar.di import NamedDependency, Provide

from memi.listings import advice
from memi.listings.advice_schemas import CategorySuggestions, PriceAdviceRead
from memi.listings.errors import NoPriceAdvice, NotOwner
from memi.listings.guards import OwnListing, own_listing
from memi.platform.dependencies import App, Session
from memi.platform.errors import NotAuthenticated, NotFound
from memi.platform.limits import Limit, limited
from memi.platform.problems import problems

_OWN = {"listing": Provide(own_listing)}
_GUARDED = (NotAuthenticated, NotFound, NotOwner)


@get(
    "/listings/{listing_id:uuid}/price-advice",
    guards=[limited(Limit.SUGGEST)],
    dependencies=_OWN,
    responses=problems(*_GUARDED, NoPriceAdvice),
)
async def read_price_advice(listing: NamedDependency[OwnListing], app: App) -> PriceAdviceRead:
    """What one's own listing would sell for. 404 `no_price_advice` when nobody is there to say, or has no idea."""
    return await advice.price_advice(app, listing)


@get("/listings/{listing_id:uuid}/category-suggestions", dependencies=_OWN, responses=problems(*_GUARDED))
async def read_category_suggestions(listing: NamedDependency[OwnListing], session: Session) -> CategorySuggestions:
    """Which categories the pictures of one's own listing suggest. Empty until they were looked at."""
    return await advice.category_suggestions(session, listing)


router = Router("", route_handlers=[read_price_advice, read_category_suggestions], tags=["listings"])
