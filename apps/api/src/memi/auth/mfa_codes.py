"""Codes that people type: six digits of an app, or a recovery code kept for the day the app is lost."""

import hashlib
import re
import secrets

RECOVERY_CODES = 10
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base32: nothing that looks like something else
_LENGTH = 24
_GROUP = 4
_DIGITS = re.compile("[0-9]{6}").fullmatch
_RECOVERY = re.compile(f"[{_ALPHABET}]{{{_LENGTH}}}").fullmatch
_MISREAD = str.maketrans("OIL", "011", " -")


def new_recovery_codes() -> list[str]:
    """Ten codes of 120 random bits, in groups of four characters."""
    return [_grouped("".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))) for _ in range(RECOVERY_CODES)]


def _grouped(code: str) -> str:
    return "-".join(code[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))


def hash_recovery_code(code: str) -> bytes:
    """What is stored of it. 120 random bits cannot be guessed from a plain SHA-256, so no slow hash is needed."""
    return hashlib.sha256(_plain(code).encode()).digest()


def app_code(text: str) -> str | None:
    """The six digits, if it is those; blanks between them do not matter."""
    code = _plain_digits(text)
    return code if _DIGITS(code) else None


def is_recovery_code(text: str) -> bool:
    """Whether it has the form of one, however it is grouped and in whichever case."""
    return _RECOVERY(_plain(text)) is not None


def _plain(text: str) -> str:
    return text.upper().translate(_MISREAD)


def _plain_digits(text: str) -> str:
    return text.replace(" ", "").replace("-", "")
