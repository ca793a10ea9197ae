"""Shapes of signing up, in and out."""

from typing import Annotated, Literal

import msgspec
from pydantic import AfterValidator, BeforeValidator, ConfigDict, EmailStr, Field, SecretStr

from memi.platform.validation import RequestModel
from memi.users.schemas import CityCode, Locale, Name, UserRead


def _password(value: SecretStr) -> SecretStr:
    secret = value.get_secret_value()
    if len(secret) < 10:
        raise ValueError("too_short: Must have at least 10 characters.")
    if len(secret.encode()) > 1024:
        raise ValueError("too_long: Must have at most 1024 bytes.")
    return value


def _bare(value: object) -> object:
    """The address alone: pydantic would also take `Name <address>`, with which nobody could sign in."""
    if isinstance(value, str) and "<" in value:
        raise ValueError("bad_format: Must be an email address alone.")
    return value


Email = Annotated[EmailStr, Field(max_length=254), BeforeValidator(_bare)]
NewPassword = Annotated[SecretStr, AfterValidator(_password)]
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
    password: NewPassword
    name: Name
    city: CityCode | None = None
    locale: Locale = "az"
    transport: Literal["token"] = "token"


class Login(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "aysel@example.com", "password": "long enough secret"}]}
    )

    email: Annotated[str, Field(min_length=3, max_length=254)]
    password: SecretStr
    transport: Literal["token"] = "token"


class RefreshRequest(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"refresh_token": "q3Jx0uW8v1Zb7N2kLr5tYd9fHs6gPa4eMcXoBiQw"}]}
    )

    refresh_token: RefreshTokenText


class TokenReply(msgspec.Struct):
    """Tokens; `expires_in` is the access token's life in seconds."""

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str


class SignedIn(TokenReply):
    user: UserRead
