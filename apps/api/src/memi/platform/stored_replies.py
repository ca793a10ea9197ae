"""What the platform keeps of people: the replies that their requests were told, for those that are sent again."""

from memi.platform import personal_queries as queries
from memi.platform.personal_data import PersonalData

PERSONAL_DATA = PersonalData(
    feature="platform", erase=queries.erase_replies, erased=frozenset({"idempotency_keys.user_id"})
)
