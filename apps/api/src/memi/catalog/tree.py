"""What a tree of categories must keep to, whoever writes it. Pure."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Protocol
from uuid import UUID

from memi.platform.errors import FieldError

DEEPEST = 6
MOST = 5_000


class Row(Protocol):
    """A category as it is stored."""

    id: Any
    slug: Any
    parent_id: Any
    size_group: Any
    attributes: Any


class Tree:
    """The categories as they would be; `check` says what is wrong about one of them and all below it."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._by_id = {row.id: row for row in rows}
        self._children: dict[UUID | None, list[Row]] = {}
        for row in rows:
            self._children.setdefault(row.parent_id, []).append(row)

    def children(self, category_id: UUID) -> list[Row]:
        return self._children.get(category_id, [])

    def is_within(self, category_id: UUID | None, root_id: UUID) -> bool:
        """Whether the one is the other or somewhere below it."""
        seen: set[UUID] = set()
        while category_id is not None and category_id not in seen:
            if category_id == root_id:
                return True
            seen.add(category_id)
            category_id = self._by_id[category_id].parent_id
        return False

    def check(self, row: Row, size_groups: Collection[str]) -> list[FieldError]:
        """Depth, attributes defined twice on a way down, size groups. There must be no cycle."""
        errors: list[FieldError] = []
        if row.size_group is not None and row.size_group not in size_groups:
            errors.append(
                FieldError("/size_group", "unknown_value", f"Must be one of {', '.join(sorted(size_groups))}.")
            )
        for path in self._ways_down(row):
            if len(path) > DEEPEST:
                errors.append(FieldError("/parent", "too_deep", f"Categories go {DEEPEST} levels deep."))
            keys = Counter(attribute["key"] for step in path for attribute in step.attributes)
            for key in sorted(key for key, times in keys.items() if times > 1):
                where = "/attributes" if any(item["key"] == key for item in row.attributes) else "/parent"
                errors.append(
                    FieldError(
                        where, "repeated", f"The attribute {key} would be defined twice on the way to {path[-1].slug}."
                    )
                )
            if not self.children(path[-1].id) and not any(step.size_group for step in path):
                errors.append(
                    FieldError("/size_group", "required", f"{path[-1].slug} would be a leaf without a size group.")
                )
        return list({(error.pointer, error.code): error for error in reversed(errors)}.values())[::-1]

    def _ways_down(self, row: Row) -> Iterator[list[Row]]:
        """The path to each category at or below `row`."""
        above: list[Row] = []
        parent_id = row.parent_id
        while parent_id is not None:
            above.append(self._by_id[parent_id])
            parent_id = above[-1].parent_id
        stack = [[*above[::-1], row]]
        while stack:
            path = stack.pop()
            yield path
            stack += [[*path, child] for child in self.children(path[-1].id)]
