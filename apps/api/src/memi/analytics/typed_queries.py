"""Statements written out, whose parameters mean the same in all of them."""

from typing import Any

from sqlalchemy import ARRAY, Boolean, Date, DateTime, Float, Integer, Interval, Text, TextClause, bindparam, text
from sqlalchemy.types import TypeEngine

_TYPES: dict[str, TypeEngine[Any]] = {
    "day": Date(),
    "days": ARRAY(Date),
    "first": Date(),
    "last": Date(),
    "start": Date(),
    "next_start": Date(),
    "kept_from": Date(),
    "months_from": Date(),
    "months_to": Date(),
    "begins": DateTime(timezone=True),
    "ends": DateTime(timezone=True),
    "within": Interval(),
    "patience": Interval(),
    "bounds": ARRAY(Float),
    "categories": ARRAY(Text),
    "kind": Text(),
    "whole": Boolean(),
    "many": Integer(),
    "most": Integer(),
    "number": Integer(),
    "cohort_days": Integer(),
}


def typed(statement: str) -> TextClause:
    """The statement, its parameters with the types that their names have throughout; raises for an unknown one."""
    clause = text(statement)
    names: list[str] = list(clause._bindparams)  # pyright: ignore[reportPrivateUsage]  # there is no other list
    return clause.bindparams(*(bindparam(name, type_=_TYPES[name]) for name in names))
