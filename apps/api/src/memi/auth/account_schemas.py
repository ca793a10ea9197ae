"""Shapes of proving an address, and of setting passwords."""

from typing import Annotated
from uuid import UUID

import msgspec
from pydantic import ConfigDict, Field, SecretStr

from memi.auth.schemas import Email, LoginEmail, NewPassword
from memi.platform.validation import RequestModel

_TOKEN = "q3Jx0uW8v1Zb7N2kLr5tYd9fHs6gPa4eMcXoBiQwT1E"  # noqa: S105  # an example
MailTokenText = Annotated[str, Field(min_length=20, max_length=100)]


class EmailVerification(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"token": _TOKEN}]})

    token: MailTokenText


class EmailChange(RequestModel):
    """`password` is the account's; one that signs in with a provider only has none to give."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "aysel.new@example.com", "password": "long enough secret"}]}
    )

    email: Email
    password: SecretStr | None = None


class ForgottenPassword(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "aysel@example.com"}]})

    email: LoginEmail


class PasswordReset(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"token": _TOKEN, "password": "another long enough secret"}]}
    )

    token: MailTokenText
    password: NewPassword


class PasswordChange(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"current_password": "long enough secret", "password": "another long enough secret"}]
        }
    )

    current_password: SecretStr
    password: NewPassword


class PasswordToJudge(RequestModel):
    """The address and the name are what a good password is not made of."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"password": "long enough secret", "email": "aysel@example.com"}]}
    )

    password: SecretStr
    email: Annotated[str, Field(max_length=254)] = ""
    name: Annotated[str, Field(max_length=80)] = ""


class VerifiedEmail(msgspec.Struct):
    """Little is said of the account: whoever has the mail may ask, signed in or not."""

    id: UUID
    email: str
    email_verified: bool


class Accepted(msgspec.Struct):
    """It was heard; what comes of it comes by mail, to whom it concerns."""

    accepted: bool


class PasswordStrength(msgspec.Struct):
    """`score` is 0 to 4. `refusal` is the code the password would be refused with; the rest are hints for its owner."""

    score: int
    accepted: bool
    refusal: str | None
    warning: str | None
    suggestions: list[str]
