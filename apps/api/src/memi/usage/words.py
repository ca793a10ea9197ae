"""What may be kept of the words that people search for. Pure."""

import re

MAX_LENGTH = 100
_ADDRESS = re.compile(r"\S*@\S*|\b(?:https?://|www\.)\S*", re.IGNORECASE)
_NUMBER = re.compile(r"\+?\d(?:[\s().,/-]*\d){6,}")
"""Seven digits or more, however they are set apart: phones, cards, identity papers. Sizes and years are shorter."""


def without_contacts(text: str) -> str:
    """`text` without mail addresses, links, names of accounts and long numbers, any of which could be somebody's."""
    return _NUMBER.sub(" ", _ADDRESS.sub(" ", text))


def shortened(words: tuple[str, ...]) -> str | None:
    """As many of the words as fit, joined by blanks; None when none do."""
    kept = ""
    for word in words:
        longer = f"{kept} {word}" if kept else word
        if len(longer) > MAX_LENGTH:
            break
        kept = longer
    return kept or None
