"""Shapes of second factors and of proving oneself anew."""

from datetime import datetime
from typing import Annotated, Self

import msgspec
from pydantic import ConfigDict, Field, SecretStr, model_validator

from memi.auth.schemas import BrowserRefreshed, TokenReply
from memi.platform.validation import RequestModel

Code = Annotated[
    str, Field(min_length=6, max_length=64, description="Six digits of the authenticator app, or a recovery code.")
]


class CodeProof(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": "492039"}, {"code": "7XKD-2M9P-QR4T-0HVB-6ZNC-W8EJ"}]}
    )

    code: Code


class MfaVerification(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"mfa_token": "q3Jx0uW8v1Zb7N2kLr5tYd9fHs6gPa4eMcXoBiQw", "code": "492039"}]}
    )

    mfa_token: Annotated[str, Field(min_length=20, max_length=200)]
    code: Code


class StepUp(RequestModel):
    """One of the two: a code where there is a second factor, else the password."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"password": "long enough secret"}, {"code": "492039"}]})

    password: SecretStr | None = None
    code: Code | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.password is None) == (self.code is None):
            raise ValueError("one_of: Give either the password or a code.")
        return self


class MfaStatus(msgspec.Struct):
    """`enrolment_required`: nothing but getting a second factor is open to this session."""

    totp: bool
    recovery_codes_left: int
    enrolment_required: bool


class Enrolment(msgspec.Struct):
    """What an authenticator app needs, as text to type and as the content of a QR code."""

    secret: str
    otpauth_uri: str


class RecoveryCodes(msgspec.Struct):
    """Each stands in for the app once. They are shown this once; the service keeps only hashes."""

    recovery_codes: list[str]


class SteppedUp(TokenReply):
    """The session went on under new tokens, and counts as proved until then; the old tokens are dead."""

    until: datetime


class BrowserSteppedUp(BrowserRefreshed):
    """The same in cookies."""

    until: datetime
