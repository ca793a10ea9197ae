"""How providers are configured, and what of it stops the start."""

import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from memi.auth.oauth_schemas import newcomer
from memi.auth.oauth_settings import configured_providers, redirects
from memi.platform.settings import ConfigurationError, Environment, Settings

PRIVATE = generate_private_key(SECP256R1())
PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
OTHER_CURVE = (
    generate_private_key(SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
)
APPLE = {
    "apple_client_id": "az.memi.web",
    "apple_team_id": "TEAM",
    "apple_key_id": "KEY",
    "apple_private_key": PEM,
}
GOOGLE = {"google_client_id": "id", "google_client_secret": "secret"}


def settings(**changes: Any) -> Settings:
    return Settings(_env_file=None, env=Environment.TEST, **changes)


def production(**changes: Any) -> Settings:
    return Settings(
        _env_file=None,
        env=Environment.PRODUCTION,
        database_url="postgresql://memi@db/memi",
        public_url="https://api.memi.example",
        web_url="https://memi.example",
        smtp_url="smtps://mail.example",
        key_ring='{"a": "eA=="}',
        require_verified_email=True,
        require_staff_mfa=True,
        **changes,
    )


class TestProviders:
    def test_none_is_configured_by_default(self) -> None:
        assert configured_providers(settings()) == []

    def test_both(self) -> None:
        found = configured_providers(production(**GOOGLE, **APPLE))
        assert [(one.name, one.issuer, one.form_post) for one in found] == [
            ("google", "https://accounts.google.com", False),
            ("apple", "https://appleid.apple.com", True),
        ]

    @pytest.mark.parametrize("missing", [*GOOGLE, *APPLE])
    def test_half_a_configuration_stops_the_start(self, missing: str) -> None:
        given = {name: value for name, value in {**GOOGLE, **APPLE}.items() if name != missing}
        with pytest.raises(ConfigurationError, match=f"MEMI_{missing.upper()}"):
            configured_providers(settings(**given))

    @pytest.mark.parametrize("pem", ["nonsense", PUBLIC, OTHER_CURVE])
    def test_a_key_that_apple_would_not_take_stops_the_start(self, pem: str) -> None:
        with pytest.raises(ConfigurationError, match="MEMI_APPLE_PRIVATE_KEY: expected"):
            configured_providers(settings(**{**APPLE, "apple_private_key": pem}))

    def test_the_key_may_come_from_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "apple.p8"
        given = {**APPLE, "apple_private_key": None, "apple_private_key_file": path}
        with pytest.raises(ConfigurationError, match="cannot read"):
            configured_providers(settings(**given))
        path.write_text(PEM)
        assert configured_providers(settings(**given))[0].name == "apple"

    @pytest.mark.parametrize("issuer", ["http://accounts.google.com", "ftp://x", "", "http://127.0.0.1.evil.example"])
    def test_an_issuer_without_tls_stops_the_start(self, issuer: str) -> None:
        with pytest.raises(ConfigurationError, match="MEMI_GOOGLE_ISSUER"):
            configured_providers(settings(**GOOGLE, google_issuer=issuer))

    def test_one_on_this_machine_will_do_but_not_in_production(self) -> None:
        given = {**GOOGLE, "google_issuer": "http://127.0.0.1:4444"}
        assert configured_providers(settings(**given))[0].may_be_asked("http://127.0.0.1:4444/token")
        with pytest.raises(ConfigurationError, match="MEMI_GOOGLE_ISSUER"):
            configured_providers(production(**given))

    def test_apples_secret_is_a_short_lived_token_signed_by_the_key(self) -> None:
        secret = configured_providers(settings(**APPLE))[0].client_secret()
        token = jwt.decode(secret, ECKey.import_key(PUBLIC), ["ES256"])
        assert (token.header["alg"], token.header["kid"]) == ("ES256", "KEY")
        claims = token.claims
        assert (claims["iss"], claims["sub"], claims["aud"]) == ("TEAM", "az.memi.web", "https://appleid.apple.com")
        assert abs(claims["iat"] - time.time()) < 5
        assert claims["exp"] - claims["iat"] == 300

    def test_secrets_do_not_show(self) -> None:
        for found in configured_providers(settings(**GOOGLE, **APPLE)):
            assert GOOGLE["google_client_secret"] not in repr(found)
            assert "secret" not in repr(found)


class TestRedirects:
    def test_the_default_is_the_front_end(self) -> None:
        assert redirects(settings(web_url="https://memi.example/")) == ("https://memi.example/auth/callback",)

    def test_apps_have_schemes_of_their_own(self) -> None:
        allowed = redirects(production(oauth_redirects="https://memi.example/cb, az.memi.app:/callback"))
        assert allowed == ("https://memi.example/cb", "az.memi.app:/callback")

    @pytest.mark.parametrize(
        "url",
        [
            "javascript:alert(1)",
            "https://[/cb",
            "https://a/\r\nX: y",
            "data:text/html,x",
            "//evil.example",
            "/cb",
            "https:///cb",
            "https://a/#x",
            "http://a/cb",
        ],
    )
    def test_others_stop_the_start(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="MEMI_OAUTH_REDIRECTS"):
            redirects(production(oauth_redirects=url))


class TestNames:
    @pytest.mark.parametrize(
        ("claims", "user", "expected"),
        [
            ({"name": "  Aysel\t Quliyeva\n"}, None, "Aysel Quliyeva"),
            ({"name": "\u202egnp.exe\u2066"}, None, "gnp.exe"),
            ({"name": "\u200b\u200b"}, None, "memi"),
            ({"name": "x" * 300}, None, "x" * 80),
            ({"name": 7, "given_name": "Leyla"}, None, "Leyla"),
            ({}, '{"name": {"firstName": "Nigar", "lastName": null}}', "Nigar"),
            ({"name": "Signed"}, '{"name": {"firstName": "Unsigned"}}', "Signed"),
            ({}, '{"name": {"firstName": "\\ud800"}}', "memi"),
            ({}, None, "memi"),
        ],
    )
    def test_a_name_is_made_fit_to_be_shown(self, claims: dict[str, Any], user: str | None, expected: str) -> None:
        assert newcomer("apple", {"sub": "x", **claims}, user).name == expected

    @pytest.mark.parametrize("email", [None, 7, "", "x", "a@b", "Aysel <a@example.com>", "\ud800@x.com"])
    def test_an_address_that_is_none_is_not_taken_over(self, email: object) -> None:
        assert newcomer("google", {"sub": "x", "email": email, "email_verified": True}, None).email is None

    @pytest.mark.parametrize("verified", [None, False, "false", "1", 1, "True"])
    def test_only_a_clear_yes_vouches_for_an_address(self, verified: object) -> None:
        claims = {"sub": "x", "email": "a@example.com", "email_verified": verified}
        assert newcomer("google", claims, None).email is None
