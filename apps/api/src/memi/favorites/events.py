"""What happens to favourites, for the features above."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class FavoriteAdded:
    """A person likes a listing that they did not like before."""

    user_id: UUID
    listing_id: UUID
