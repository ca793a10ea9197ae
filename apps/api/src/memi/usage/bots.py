"""Machines that say so: what they read is no use by people."""

import re
from functools import lru_cache
from pathlib import Path

_LINES = (Path(__file__).parent / "data" / "bots.txt").read_text().splitlines()
_SIGNS = tuple(line.strip() for line in _LINES if line.strip() and not line.startswith("#"))
_SIGN = re.compile("|".join(re.escape(sign) for sign in _SIGNS).encode(), re.IGNORECASE).search


@lru_cache(maxsize=2048)
def is_bot(agent: bytes) -> bool:
    """Whether this User-Agent header names a crawler, a preview of links or a monitor."""
    return _SIGN(agent) is not None
