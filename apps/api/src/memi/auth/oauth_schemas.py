"""Shapes of signing in with other providers, and what is taken over of a person from there."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, cast, get_args

import msgspec
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from memi.auth.oauth_settings import ProviderName
from memi.auth.schemas import Email, Transport
from memi.platform.validation import RequestModel
from memi.users.schemas import Locale

Challenge = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
Verifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{43,128}$")]
RedirectTo = Annotated[str, Field(max_length=2000)]
_EMAIL = TypeAdapter[str](Email)
_NAME = 80
_FORM_USER = 4096
_UNWANTED = re.compile("[\x00-\x1f\x7f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_NAMELESS = "memi"


class StartQuery(RequestModel):
    redirect_to: RedirectTo | None = None
    code_challenge: Challenge | None = None


class LinkRequest(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"redirect_to": "https://memi.example/auth/callback"}]})

    redirect_to: RedirectTo | None = None


class Exchange(RequestModel):
    """`code_verifier` when the start named a `code_challenge`; else the cookie of the start must come along."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": "q3Jx0uW8v1Zb7N2kLr5tYd9fHs6gPa4eMcXoBiQwT1s", "transport": "cookie"}]}
    )

    code: Annotated[str, Field(min_length=20, max_length=200)]
    code_verifier: Verifier | None = None
    transport: Transport = "token"


class LinkStarted(msgspec.Struct):
    """Where to send this browser, which was given the cookie to come back with."""

    authorization_url: str


class IdentityRead(msgspec.Struct):
    """An account at a provider that signs this person in; `email` is the address there."""

    provider: str
    email: str | None
    linked_at: datetime


class Identities(msgspec.Struct):
    """`providers` are those that this service signs in with."""

    items: list[IdentityRead]
    providers: list[str]


@dataclass(frozen=True)
class Returned:
    """What a provider sent along with the browser."""

    state: str
    code: str | None
    error: str | None
    iss: str | None
    user: str | None


@dataclass(frozen=True)
class Newcomer:
    """Who came, by a verified ID token. `email` only if the provider vouches for it."""

    provider: ProviderName
    subject: str
    email: str | None
    name: str
    locale: Locale


def newcomer(provider: ProviderName, claims: dict[str, Any], form_user: str | None) -> Newcomer:
    """`form_user` is what Apple's form says of the name, the first time only and unsigned: a suggestion, no more."""
    said = claims.get("email_verified")
    verified = said is True or said == "true"  # Apple has said either
    return Newcomer(
        provider,
        claims["sub"],
        _email(claims.get("email")) if verified else None,
        _name(claims.get("name")) or _name_of_form(form_user) or _name(claims.get("given_name")) or _NAMELESS,
        _locale(claims.get("locale")),
    )


def _email(value: object) -> str | None:
    try:
        return _EMAIL.validate_python(value).lower()
    except ValidationError:
        return None


def _name(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    whole = value[: _NAME * 4].encode(errors="ignore").decode()  # halves of characters cannot be stored
    return " ".join(_UNWANTED.sub(" ", whole).split())[:_NAME].strip() or None


def _name_of_form(text: str | None) -> str | None:
    if text is None or len(text) > _FORM_USER:
        return None
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    name: Any = cast("dict[str, Any]", document).get("name") if isinstance(document, dict) else None
    if not isinstance(name, dict):
        return None
    parts = cast("dict[str, Any]", name)
    return _name(" ".join(part for part in (parts.get("firstName"), parts.get("lastName")) if isinstance(part, str)))


def _locale(value: object) -> Locale:
    language = value[:2].lower() if isinstance(value, str) else ""
    return next((known for known in get_args(Locale) if known == language), "az")
