"""Usage events as Parquet. Importing this needs pyarrow, which the extra `export` brings."""

from collections.abc import Sequence
from importlib import import_module
from typing import IO, Any

from memi.usage.queries import EXPORT_COLUMNS

# pyarrow has no types of its own, and loading it takes longer than most commands do.
_arrow: Any = import_module("pyarrow")
_parquet: Any = import_module("pyarrow.parquet")

SCHEMA: Any = _arrow.schema(
    [
        _arrow.field("id", _arrow.string(), nullable=False),
        _arrow.field("at", _arrow.timestamp("us", tz="UTC"), nullable=False),
        _arrow.field("kind", _arrow.string(), nullable=False),
        _arrow.field("listing_id", _arrow.string()),
        _arrow.field("search_id", _arrow.string()),
        _arrow.field("position", _arrow.int32()),
        _arrow.field("category", _arrow.string()),
        _arrow.field("words", _arrow.string()),
        _arrow.field("visitor", _arrow.string(), nullable=False),
        _arrow.field("person", _arrow.string()),
        _arrow.field("properties", _arrow.string(), nullable=False),
    ]
)
_TEXTS = {"id": str, "listing_id": str, "search_id": str, "visitor": bytes.hex, "person": bytes.hex}


class ParquetSink:
    """One row group per batch."""

    def __init__(self, file: IO[bytes]) -> None:
        self._writer: Any = _parquet.ParquetWriter(file, SCHEMA, compression="zstd")

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        columns: list[Any] = []
        for name, values in zip(EXPORT_COLUMNS, zip(*rows, strict=True), strict=True):
            write = _TEXTS.get(name)
            if write is not None:
                values = [None if value is None else write(value) for value in values]  # noqa: PLW2901
            columns.append(_arrow.array(values, SCHEMA.field(name).type))
        self._writer.write_batch(_arrow.record_batch(columns, schema=SCHEMA))

    def close(self) -> None:
        self._writer.close()
