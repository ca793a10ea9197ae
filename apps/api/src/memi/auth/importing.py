"""What one line of an import of accounts must be: read, checked, and never trusted with more than an account."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, cast

import msgspec
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, SecretStr

from memi.auth.schemas import Email
from memi.platform import clock
from memi.platform.errors import FieldError, ValidationFailed
from memi.platform.validation import RequestModel, parse
from memi.users.schemas import CityCode, Locale, Name, Phone

MAX_LINE = 16 * 1024
"""Bytes; whatever is longer is no account."""
_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_ARGON2 = re.compile(
    r"\$argon2(?:id|i|d)\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$[A-Za-z0-9+/]{11,128}\$[A-Za-z0-9+/]{16,128}"
)
_BCRYPT_COST = range(4, 16)
_ARGON2_KIB, _ARGON2_PASSES, _ARGON2_LANES = range(8, 262_145), range(1, 17), range(1, 17)
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_BOM = b"\xef\xbb\xbf"


def _hash(value: SecretStr) -> SecretStr:
    """A hash that can be verified here, at a cost that a sign-in may have."""
    text = value.get_secret_value()
    if found := _BCRYPT.fullmatch(text):
        if int(found[1]) not in _BCRYPT_COST:
            raise ValueError("out_of_range: The cost of a bcrypt hash must be 4 to 15.")
    elif found := _ARGON2.fullmatch(text):
        kib, passes, lanes = (int(part) for part in found.groups())
        if kib not in _ARGON2_KIB or passes not in _ARGON2_PASSES or lanes not in _ARGON2_LANES or kib < 8 * lanes:
            raise ValueError("out_of_range: An argon2 hash may use up to 256 MiB, 16 passes and 16 lanes.")
    else:
        raise ValueError("bad_format: Must be a bcrypt ($2a$, $2b$, $2y$) or argon2 hash in its usual form.")
    return value


def _past(value: datetime) -> datetime:
    if not _EARLIEST <= value <= clock.now():
        raise ValueError("out_of_range: Must be a time since 1990 that is over.")
    return value


class ImportedAccount(RequestModel):
    """One account. Roles are not among its fields: nobody becomes staff by a file."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email": "aysel@example.com",
                    "password_hash": "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
                    "name": "Aysel",
                    "email_verified": True,
                }
            ]
        }
    )

    email: Email
    password_hash: Annotated[SecretStr, AfterValidator(_hash)]
    name: Name
    city: CityCode | None = None
    locale: Locale = "az"
    phone: Phone | None = None
    email_verified: Annotated[bool, Field(strict=True)] = False
    created_at: Annotated[AwareDatetime, AfterValidator(_past)] | None = None
    external_id: Annotated[str, Field(max_length=200)] | None = None
    """The account's name in the system it comes from; only the report of refused lines repeats it."""


class Refusal(msgspec.Struct, frozen=True):
    """A line that was not taken. It never repeats what the line said, but for the account's foreign name."""

    line: int
    external_id: str | None
    errors: list[FieldError]


def read_line(number: int, raw: bytes) -> ImportedAccount | Refusal:
    """One line, without its end, as an account; `number` counts from 1."""
    if number == 1:
        raw = raw.removeprefix(_BOM)
    try:
        value: Any = msgspec.json.decode(raw)
    except UnicodeDecodeError:
        return refusal(number, "", "bad_encoding", "Must be UTF-8.")
    except (msgspec.DecodeError, RecursionError):
        return refusal(number, "", "malformed_json", "Must be one JSON object.")
    if not isinstance(value, dict):
        return refusal(number, "", "wrong_type", "Must be an object.")
    fields = cast("dict[str, Any]", value)
    try:
        return parse(ImportedAccount, fields)
    except ValidationFailed as failure:
        return Refusal(number, _foreign_name(fields), [_without_hash(error) for error in failure.errors])


def refusal(number: int, pointer: str, code: str, message: str, external_id: str | None = None) -> Refusal:
    return Refusal(number, external_id, [FieldError(pointer, code, message)])


def _foreign_name(value: dict[str, Any]) -> str | None:
    name = value.get("external_id")
    return name[:200] if isinstance(name, str) and "$" not in name else None


def _without_hash(error: FieldError) -> FieldError:
    """A field that there is not may be named like a hash that slipped into the wrong place."""
    return FieldError("", error.code, error.message) if "$" in error.pointer else error
