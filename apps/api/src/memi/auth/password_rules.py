"""Which passwords are taken: long enough, not common, not one's own name, and not quickly guessed. Nothing else.

No rule asks for digits or symbols, and none for a change now and then: both make passwords worse.
"""

import gzip
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from zxcvbn_rs_py import Entropy, Suggestion, Warning, zxcvbn

from memi.platform.errors import ValidationFailed
from memi.platform.folding import fold

SHORTEST = 10
LONGEST_BYTES = 1024
LEAST_SCORE = 2
_LEFT_OVER = 8
"""Characters that must remain of a password without the words that anybody would try for its owner."""
_CONTEXT = ("memi", "admin", "administrator", "moderator")
"""Names of the product and of the roles in it; docs/security/README.md lists them."""
_LOCAL = (
    *(
        "parol",
        "parolum",
        "şifrə",
        "sifre",
        "пароль",
        "azərbaycan",
        "azerbaycan",
        "азербайджан",
        "bakı",
        "baku",
        "баку",
    ),
    *("йцукен", "йцукенгшщз", "фывапролдж", "ячсмитьбю", "qarabağ", "qarabag", "salam", "привет", "любовь", "sevgilim"),
)
"""What the estimator's English dictionaries lack of what people here choose first."""
_WORDS = re.compile(r"[^\W\d_]{3,}").findall
_LOOKALIKES = frozenset("4@8({[<369!1|0$5+7%2")
_MESSAGES = {
    "too_short": f"Must have at least {SHORTEST} characters.",
    "too_long": f"Must have at most {LONGEST_BYTES} bytes.",
    "too_common": "Is one of the passwords that are tried first; choose another.",
    "contains_personal_data": "Is made of your name, your address or ours; choose something else.",
    "too_guessable": "Is guessed too quickly; add another word or two.",
}


@dataclass(frozen=True)
class Strength:
    """`score` is zxcvbn's, 0 to 4; `refusal` says why the password would not be taken, None that it would."""

    score: int
    refusal: str | None
    warning: str | None
    suggestions: tuple[str, ...]


def judge(password: str, email: str = "", name: str = "") -> Strength:
    """How good a password is for a person of this address and name; takes a few milliseconds at most."""
    words = _personal_words(email, name)
    entropy = _estimate(password, [*words, *_LOCAL])
    score = int(entropy.score)
    feedback = entropy.feedback
    warning = None if feedback is None or feedback.warning is None else _code(feedback.warning)
    suggestions = () if feedback is None else tuple(_code(item) for item in feedback.suggestions)
    return Strength(score, _refusal(password, words, score), warning, suggestions)


def refusal_of(password: str, email: str = "", name: str = "") -> str | None:
    """Why the password is refused, as "code: sentence"; None when it is taken."""
    code = judge(password, email, name).refusal
    return None if code is None else f"{code}: {_MESSAGES[code]}"


def require_good(password: str, *, email: str, name: str, pointer: str = "/password") -> None:
    """Raise `ValidationFailed` unless the password is taken."""
    code = judge(password, email, name).refusal
    if code is not None:
        raise ValidationFailed.of(pointer, code, _MESSAGES[code])


def _refusal(password: str, words: list[str], score: int) -> str | None:
    if len(password) < SHORTEST:
        return "too_short"
    if len(password.encode()) > LONGEST_BYTES:
        return "too_long"
    if password.lower() in common_passwords():
        return "too_common"
    if _is_personal(password, words):
        return "contains_personal_data"
    return "too_guessable" if score < LEAST_SCORE else None


@lru_cache(maxsize=1)
def common_passwords() -> frozenset[str]:
    """See `data/README.md`."""
    packed = (files("memi.auth") / "data" / "common_passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().splitlines())


def _personal_words(email: str, name: str) -> list[str]:
    """What anybody would try first for this person, folded, the longest first."""
    local, _, domain = email.partition("@")
    whole = {fold(local), fold(name).replace(" ", "")} | set(_CONTEXT)
    parts = {word for text in (local, domain.partition(".")[0], name) for word in _WORDS(fold(text))}
    return sorted((word for word in whole | parts if len(word) >= 3), key=lambda word: (-len(word), word))


def _is_personal(password: str, words: list[str]) -> bool:
    rest = folded = fold(password)
    for word in words:
        rest = rest.replace(word, "")
    return rest != folded and len(rest) < _LEFT_OVER


def _estimate(password: str, words: list[str]) -> Entropy:
    """The better score of the password's two ends.

    The estimator's time grows with the square of the length, and again with each kind of character that may stand for
    a letter, and it holds the interpreter meanwhile; a password one of whose ends is good is good.
    """
    length = 32 if len(_LOOKALIKES.intersection(password)) <= 6 else 16
    head = zxcvbn(password[:length], words)
    if len(password) <= length or int(head.score) >= 4:
        return head
    tail = zxcvbn(password[-length:], words)
    return tail if int(tail.score) > int(head.score) else head


def _code(item: Warning | Suggestion) -> str:
    """`UseAFewWordsAvoidCommonPhrases` as front ends get it: `use_a_few_words_avoid_common_phrases`."""
    name = repr(item).rpartition(".")[2]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z])(?=[0-9])", "_", name).lower()
