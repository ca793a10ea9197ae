"""Tables as CSV (RFC 4180, UTF-8) that no spreadsheet takes for a program. Pure."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

_BEGINS_FORMULA = tuple("=+-@\t\r\n＝＋－＠|%")
"""What a spreadsheet reads as the beginning of a formula, or cuts off to find one; some take the wide forms too."""


def cell(value: Any) -> str:
    """As text. What people wrote gets an apostrophe in front where it would be run rather than shown."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case dict():
            text = msgspec.json.encode(value).decode()
        case list():
            text = " ".join(str(item) for item in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # of the database
        case _:
            text = str(value)
    return f"'{text}" if text.startswith(_BEGINS_FORMULA) or text.lstrip().startswith(_BEGINS_FORMULA) else text


def lines(rows: Iterable[Sequence[Any]]) -> bytes:
    """Every cell quoted, so that a spreadsheet which splits at other signs does not split there."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(
        [cell(value) for value in row] for row in rows
    )
    return out.getvalue().encode()
