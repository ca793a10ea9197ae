"""What happens to the catalogue, for the features above."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class CategoryChanged:
    """What listings in it or below it show, or are found by, is different."""

    category_id: UUID
