"""What is kept of people here: cards and pages of what they sell, made from their listings."""

from memi.platform.personal_data import PersonalData
from memi.search import personal_queries as queries

PERSONAL_DATA = PersonalData(feature="search", erase=queries.erase, erased=frozenset({"listing_cards.seller_id"}))
