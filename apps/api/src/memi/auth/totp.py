"""Codes of authenticator apps (RFC 6238): SHA-1, six digits, steps of 30 seconds, one step of tolerance either way."""

import hmac
from datetime import datetime

from pyotp import random_base32
from pyotp.totp import TOTP

STEP_SECONDS = 30
_WINDOW = 1
_ISSUER = "memi"


def new_secret() -> str:
    """160 random bits in base32, as people type it into an app that cannot scan."""
    return random_base32(32)


def otpauth_uri(secret: str, account: str) -> str:
    """What a QR code for an authenticator app holds."""
    return TOTP(secret, name=account, issuer=_ISSUER).provisioning_uri()


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step that `code` belongs to, if it is the present one or its neighbour; takes the same time always."""
    totp = TOTP(secret)
    present, found = totp.timecode(now), None
    for step in range(present - _WINDOW, present + _WINDOW + 1):
        if hmac.compare_digest(totp.generate_otp(step), code):
            found = step
    return found
