"""Codes of authenticator apps and recovery codes, as pure rules."""

import math
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from pyotp.totp import TOTP

from memi.auth.mfa_codes import app_code, hash_recovery_code, is_recovery_code, new_recovery_codes
from memi.auth.totp import STEP_SECONDS, new_secret, otpauth_uri, step_of

# RFC 6238, appendix B: the SHA-1 secret, and its codes cut to six digits.
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # a published test vector
NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert step_of(RFC_SECRET, code, datetime.fromtimestamp(seconds, UTC)) == seconds // STEP_SECONDS


@pytest.mark.parametrize(("away", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_one_step_to_either_side_is_taken(away: int, taken: bool) -> None:
    step = int(NOON.timestamp()) // STEP_SECONDS + away
    code = TOTP(RFC_SECRET).generate_otp(step)
    for seconds in (0, STEP_SECONDS - 1):
        assert step_of(RFC_SECRET, code, NOON + timedelta(seconds=seconds)) == (step if taken else None)


def test_secrets_have_160_bits_and_never_repeat() -> None:
    secrets = {new_secret() for _ in range(1000)}
    assert len(secrets) == 1000
    assert {len(TOTP(secret).byte_secret()) * 8 for secret in secrets} == {160}


def test_the_uri_tells_an_app_everything() -> None:
    uri = urlsplit(otpauth_uri(RFC_SECRET, "aysel+x@example.com"))
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/memi:aysel%2Bx%40example.com")
    assert parse_qs(uri.query) == {"secret": [RFC_SECRET], "issuer": ["memi"]}


class TestRecoveryCodes:
    def test_are_ten_of_120_bits(self) -> None:
        codes = [code for _ in range(200) for code in new_recovery_codes()]
        assert len(new_recovery_codes()) == 10
        assert len(set(codes)) == len(codes)
        characters = "".join(codes).replace("-", "")
        assert len(characters) == 24 * len(codes)
        alphabet = set(characters)
        assert 24 * math.log2(len(alphabet)) >= 112  # below that a plain hash would not be enough to keep them
        for character in alphabet:  # each as likely as another: 1,500 times, give or take
            assert 1200 < characters.count(character) < 1800

    def test_are_read_as_people_write_them(self) -> None:
        code = "7XKD-2M9P-QR4T-0HVB-6ZNC-W1EJ"
        for written in (code, code.lower(), code.replace("-", ""), code.replace("-", " "), "7xkd2m9pqr4tohvb6zncwlej"):
            assert is_recovery_code(written)
            assert hash_recovery_code(written) == hash_recovery_code(code)
        assert hash_recovery_code(code[:-1] + "K") != hash_recovery_code(code)

    @pytest.mark.parametrize(
        "text", ["", "123456", "7XKD-2M9P-QR4T-0HVB-6ZNC", "7XKD-2M9P-QR4T-0HVB-6ZNC-W1EU", "ə" * 24]
    )
    def test_other_texts_are_none(self, text: str) -> None:
        assert not is_recovery_code(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("123456", "123456"),
        ("123 456", "123456"),
        ("12345", None),
        ("1234567", None),
        ("12345a", None),
        ("١٢٣٤٥٦", None),
    ],
)
def test_six_digits_are_a_code(text: str, code: str | None) -> None:
    assert app_code(text) == code
