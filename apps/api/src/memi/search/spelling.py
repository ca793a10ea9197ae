"""From what people type to what the index is asked, and from misspelled words to the ones meant. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from memi.platform.folding import words

MAX_WORDS = 8
"""Of a query; more would only narrow it to nothing."""
_PREFIX_FROM = 2
"""Shorter last words are not completed: half of all listings would match."""
_CORRECTED_FROM = 3
_TWO_SLIPS_FROM = 7
"""Words of so many letters may be two slips away from the one meant, shorter ones one."""
_BEGINNING_FROM = 5
_MAX_CORRECTIONS = 4


def query_words(text: str) -> tuple[str, ...]:
    """The distinct folded words of a query, in order, bounded."""
    return tuple(dict.fromkeys(words(text)))[:MAX_WORDS]


def tsquery(asked: Sequence[str], corrections: Mapping[str, Sequence[str]] | None = None) -> str:
    """PostgreSQL's query for all of `asked`, each or one of its corrections; the last word may go on.

    Words hold letters and digits only, so quoting them is enough.
    """
    terms: list[str] = []
    for position, word in enumerate(asked):
        goes_on = position == len(asked) - 1 and len(word) >= _PREFIX_FROM
        spellings = [f"'{word}':*" if goes_on else f"'{word}'"]
        spellings += [f"'{other}'" for other in (corrections or {}).get(word, ())]
        terms.append(spellings[0] if len(spellings) == 1 else f"( {' | '.join(spellings)} )")
    return " & ".join(terms)


def variants(word: str) -> list[str]:
    """The word and what is left of it without any one letter: two words one slip apart have one in common."""
    return sorted({word, *(word[:index] + word[index + 1 :] for index in range(len(word)))} - {""})


def corrects(word: str) -> bool:
    """Whether it makes sense to look for what was meant: sizes, years and very short words are left alone."""
    return len(word) >= _CORRECTED_FROM and not any(character.isdigit() for character in word)


def nearest(word: str, candidates: Iterable[str]) -> list[str]:
    """The candidates that `word` may misspell, or whose beginning (endings carry grammar) it may; nearest first."""
    allowed = 2 if len(word) >= _TWO_SLIPS_FROM else 1
    scored: list[tuple[int, int, str]] = []
    for other in set(candidates) - {word}:
        last = _distances(word, other)
        if last[-1] <= allowed:
            scored.append((0, last[-1], other))
        elif len(word) >= _BEGINNING_FROM and min(last[len(word) - 1 :], default=allowed + 1) <= 1:
            scored.append((1, 1, other))
    return [other for _, _, other in sorted(scored)][:_MAX_CORRECTIONS]


def distance(one: str, other: str) -> int:
    """Slips between two words: a letter more, less or another, or two neighbours swapped (optimal string alignment)."""
    return _distances(one, other)[-1]


def _distances(one: str, other: str) -> list[int]:
    """Slips between `one` and each beginning of `other`, the empty one first."""
    before_last: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        current = [row]
        for column, its in enumerate(other, 1):
            cost = min(last[column] + 1, current[column - 1] + 1, last[column - 1] + (letter != its))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == its:
                cost = min(cost, before_last[column - 2] + 1)
            current.append(cost)
        before_last, last = last, current
    return last
