"""What moderators may want to look at: links, and ways to reach somebody elsewhere, by how they are written. Pure."""

import re
from typing import Literal

Kind = Literal["LINK", "CONTACT"]

_JOINED = re.compile(r"[.:][\w/]")
_DIGITS = re.compile(r"\d\D{0,3}\d\D{0,3}\d\D{0,3}\d")
# A word and another after a full stop without a blank are no link, however short the second is: "qalıb.Az sonra".
_LINK = re.compile(
    r"https?://\S|www\.\w|[\w-]\.[a-z]{2,10}/\w|[\w-]\.(?:com|net|org|info|ru|shop|site|online|link)\b(?!\.\w)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[\w.+-]@[\w-]+\.\w{2,}|(?<![\w@])@\w{4,}")
_DATE = re.compile(r"(?<![\d./-])(?:0?[1-9]|[12]\d|3[01])[./-](?:0?[1-9]|1[0-2])[./-](?:\d{4}|\d{2})(?![\d./-])")
_PHONE = re.compile(r"(?<![\d+])(?:\+|00|0|994)(?:[\s().-]{0,3}\d){8,14}(?!\d)")
"""Digits as phones have them, from a plus, a zero or the country's code on: prices, sizes and years do not."""


def suspicions(text: str) -> tuple[Kind, ...]:
    """Empty for nearly all that people write; looked at for each message, so the plain ones are told quickly."""
    found: list[Kind] = []
    if _JOINED.search(text) is not None and _LINK.search(text):
        found.append("LINK")
    if ("@" in text and _ADDRESS.search(text)) or (_DIGITS.search(text) and _PHONE.search(_DATE.sub(";", text))):
        found.append("CONTACT")
    return tuple(found)
