"""One spelling for what people type: Azerbaijani, Turkish, Russian and English words without case or marks.

Documents and queries are folded by this one function, so that no engine's own idea of a language decides what matches.
"""

import re
import unicodedata

_MAX_WORD = 64
"""Longer runs are noise (links, keyboard smash); cutting them alike on both sides keeps them findable."""

# Letters that carry no combining mark to strip, and the two whose case pairs differ between languages: a Turkic
# speaker's I/ı and İ/i are two letters, an English speaker's I/i are one. Folding all four to i serves both.
_LETTERS = str.maketrans(
    {
        "I": "i",
        "İ": "i",
        "ı": "i",
        "Ə": "e",
        "ə": "e",
        "Ǝ": "e",
        "ǝ": "e",
        "ø": "o",
        "Ø": "o",
        "ł": "l",
        "Ł": "l",
        "đ": "d",
        "Đ": "d",
        "ð": "d",
        "Ð": "d",
        "æ": "ae",
        "Æ": "ae",
        "œ": "oe",
        "Œ": "oe",
        "þ": "th",
        "Þ": "th",
    }
)
_APOSTROPHES = str.maketrans(dict.fromkeys("'’ʼ‘`´", ""))
_WORD = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """`text` in lower case, without diacritics, its blanks collapsed: "Şal  ƏLA" and "sal ela" fold alike.

    Punctuation stays; `words` leaves it out.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS)).translate(_LETTERS)
    letters = "".join(character for character in plain.casefold() if not unicodedata.combining(character))
    return " ".join(letters.translate(_LETTERS).split())


def words(text: str) -> tuple[str, ...]:
    """The folded words of `text` in order, letters and digits only: "Levi's 501®, T-shirt" → levis 501 t shirt."""
    return tuple(word[:_MAX_WORD] for word in _WORD.findall(fold(text.translate(_APOSTROPHES))))
