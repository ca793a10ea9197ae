"""What the documentation says, for tests that hold it to the code."""

import re
from pathlib import Path
from typing import Any, cast


def section(path: Path, heading: str) -> str:
    """What stands under a heading, up to the next one."""
    parts = re.split(r"^#+ (.+)$", path.read_text(), flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    return found[heading]


def rows(text: str) -> list[list[str]]:
    """The cells of a table's rows, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in cells[1:] if not set(row[0]) <= {"-", ":"}]


def fields(document: dict[str, Any], part: object, seen: frozenset[str] = frozenset()) -> set[str]:
    """The names of all fields below a part of an OpenAPI document."""
    if isinstance(part, list):
        return {name for item in cast("list[object]", part) for name in fields(document, item, seen)}
    if not isinstance(part, dict):
        return set()
    schema = cast("dict[str, Any]", part)
    reference = schema.get("$ref")
    if reference in seen:
        return set()
    if isinstance(reference, str):
        target = document["components"]["schemas"][reference.rpartition("/")[2]]
        return fields(document, target, seen | {reference})
    below = {name for value in schema.values() for name in fields(document, value, seen)}
    return below | set(schema.get("properties", {}))
