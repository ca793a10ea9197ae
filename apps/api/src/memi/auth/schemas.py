"""Shapes of signing up, in and out."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, ConfigDict, EmailStr, Field, SecretStr, ValidationInfo

from memi.auth.password_rules import refusal_of
from memi.platform.validation import RequestModel
from memi.users.schemas import CityCode, Locale, Name, UserRead


def _taken(value: SecretStr, info: ValidationInfo) -> SecretStr:
    refusal = refusal_of(value.get_secret_value(), str(info.data.get("email", "")), str(info.data.get("name", "")))
    if refusal is not None:
        raise ValueError(refusal)
    return value


def _bare(value: object) -> object:
    """The address alone: pydantic would also take `Name <address>`, with which nobody could sign in."""
    if isinstance(value, str) and "<" in value:
        raise ValueError("bad_format: Must be an email address alone.")
    return value


def _as_registered(value: str) -> str:
    """In the one form that registering brought it into; what is no address belongs to nobody anyway."""
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError:
        return value


Transport = Literal["token", "cookie"]
"""Whether a session's tokens travel in bodies and headers, or in cookies that scripts cannot read."""
Email = Annotated[EmailStr, Field(max_length=254), BeforeValidator(_bare)]
LoginEmail = Annotated[str, Field(min_length=3, max_length=254), AfterValidator(_as_registered)]
"""An address that may have an account; one that is none is as unknown as others."""
NewPassword = Annotated[SecretStr, AfterValidator(_taken)]
"""One that the rules take; declared after the fields `email` and `name`, it is held against those too."""
RefreshTokenText = Annotated[str, Field(min_length=20, max_length=200)]


class Registration(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"email": "aysel@example.com", "password": "long enough secret", "name": "Aysel", "city": "BAKU"}
            ]
        }
    )

    email: Email
    name: Name
    password: NewPassword
    city: CityCode | None = None
    locale: Locale = "az"
    transport: Transport = "token"


class Login(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "aysel@example.com", "password": "long enough secret"}]}
    )

    email: LoginEmail
    password: SecretStr
    transport: Transport = "token"


class RefreshRequest(RequestModel):
    """Without a token, or without a body, the cookie's counts."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"refresh_token": "q3Jx0uW8v1Zb7N2kLr5tYd9fHs6gPa4eMcXoBiQw"}]}
    )

    refresh_token: RefreshTokenText | None = None


class SessionQuery(RequestModel):
    limit: Annotated[int, Field(ge=1, le=100)] = 24
    cursor: Annotated[str, Field(max_length=500)] | None = None


class TokenReply(msgspec.Struct):
    """Tokens; `expires_in` is the access token's life in seconds."""

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str


class SignedIn(TokenReply):
    user: UserRead


class BrowserSignedIn(msgspec.Struct):
    """The tokens are in cookies; `csrf_token` goes with every unsafe call, in `X-CSRF-Token`."""

    user: UserRead
    expires_in: int
    csrf_token: str


class BrowserRefreshed(msgspec.Struct):
    expires_in: int
    csrf_token: str


class MfaRequired(msgspec.Struct):
    """The first factor was right. Send `mfa_token` and a code to `/auth/mfa/verify` within `expires_in` seconds."""

    mfa_required: bool
    mfa_token: str
    expires_in: int
    methods: list[str]


class CsrfToken(msgspec.Struct):
    csrf_token: str


class SessionRead(msgspec.Struct):
    """A sign-in: `device` is what the client called itself, `current` marks the one that asks."""

    id: UUID
    device: str | None
    ip: str | None
    transport: str
    current: bool
    second_factor: bool
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
