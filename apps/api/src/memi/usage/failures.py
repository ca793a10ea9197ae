"""Whose fault it is when events are not written: theirs, the database's for now, or something else's."""

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# SQLSTATE classes that say that it was not the events' fault: try the same again.
_PASSING = ("08", "25", "40", "53", "55", "57", "58", "XX")
# Those that say that it was: data that cannot be, constraints that it breaks.
_THEIR_FAULT = ("22", "23")
_CHECK = "23514"


def _cause(error: Exception) -> BaseException:
    """What the driver said."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return error
    return error.orig.__cause__ or error.orig


def is_their_fault(error: DBAPIError) -> bool:
    """Whether the events cannot be taken. A month without a table of its own is a broken constraint without a name."""
    cause = _cause(error)
    state = str(getattr(cause, "sqlstate", None) or "")
    nameless = state == _CHECK and getattr(cause, "constraint_name", None) is None
    return state.startswith(_THEIR_FAULT) and not nameless


def passes(error: Exception) -> bool:
    """Whether the same may well be taken later."""
    cause = _cause(error)
    if state := str(getattr(cause, "sqlstate", None) or ""):
        return state.startswith(_PASSING) or state == _CHECK
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    lost = OSError | TimeoutError | PoolTimeout | asyncpg.InternalClientError
    return isinstance(cause, lost) or (isinstance(cause, asyncpg.InterfaceError) and not isinstance(cause, ValueError))
