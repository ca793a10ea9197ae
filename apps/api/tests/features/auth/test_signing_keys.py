"""Access tokens signed with published keys: who has only `/.well-known/jwks.json` can verify them, and keys rotate."""

import hmac
import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt.utils import base64url_encode

from memi import wiring
from memi.app import create_litestar
from memi.platform import clock
from memi.platform.errors import InvalidToken
from memi.platform.gateway import Gateway
from memi.platform.keyring import KeyRing
from memi.platform.permissions import Role
from memi.platform.principal import AccessTokens
from memi.platform.settings import ConfigurationError, Environment, Settings
from memi.platform.signing_keys import PublishedKeys, SigningKey, load_signing_keys
from support.people import PASSWORD

RING = KeyRing({"ring": b"r" * 32})
ISSUER = "https://api.memi.example"


def pem(private: Any) -> str:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def keys_of(**keys: Any) -> tuple[SigningKey, ...]:
    text = json.dumps({kid: pem(key) if not isinstance(key, str) else key for kid, key in keys.items()})
    return load_signing_keys(Settings(_env_file=None, env=Environment.TEST, signing_keys=text))  # pyright: ignore[reportArgumentType]


def issue(tokens: AccessTokens) -> str:
    return tokens.issue(uuid4(), uuid4(), frozenset({Role.USER}), clock.now())[0]


class TestTokens:
    @pytest.mark.parametrize(
        ("private", "algorithm"),
        [
            (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
            (ec.generate_private_key(ec.SECP256R1()), "ES256"),
            (rsa.generate_private_key(65537, 2048), "RS256"),
        ],
        ids=["Ed25519", "P-256", "RSA"],
    )
    def test_are_verified_by_what_is_published(self, private: Any, algorithm: str) -> None:
        keys = keys_of(one=private)
        token = issue(AccessTokens(RING, ISSUER, 900, keys))
        (published,) = PublishedKeys(keys).document["keys"]
        assert (published["kid"], published["alg"], published["use"]) == ("one", algorithm, "sig")
        assert not {"d", "p", "q", "k"} & set(published)
        header = jwt.get_unverified_header(token)
        assert (header["alg"], header["kid"], header["typ"]) == (algorithm, "one", "at+jwt")
        claims = jwt.decode(token, jwt.PyJWK(published).key, [algorithm], audience="memi", issuer=ISSUER)
        assert claims["roles"] == ["USER"]

    def test_of_the_old_key_and_of_the_ring_are_good_until_they_expire(self) -> None:
        old, new = ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
        by_ring = issue(AccessTokens(RING, ISSUER, 900))
        by_old = issue(AccessTokens(RING, ISSUER, 900, keys_of(old=old)))
        tokens = AccessTokens(RING, ISSUER, 900, keys_of(new=new, old=old))
        assert {tokens.read(token).roles for token in (by_ring, by_old, issue(tokens))} == {frozenset({Role.USER})}
        with pytest.raises(InvalidToken):
            AccessTokens(RING, ISSUER, 900, keys_of(new=new)).read(by_old)

    def test_a_published_key_is_no_shared_secret(self) -> None:
        """Whoever may choose the algorithm signs with the public key as if it were a secret."""
        private = rsa.generate_private_key(65537, 2048)
        keys = keys_of(one=private)
        payload = issue(AccessTokens(RING, ISSUER, 900, keys)).split(".")[1]
        header = base64url_encode(b'{"alg":"HS256","typ":"at+jwt","kid":"one"}').decode()
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        mac = hmac.digest(public, f"{header}.{payload}".encode(), "sha256")
        with pytest.raises(InvalidToken):
            AccessTokens(RING, ISSUER, 900, keys).read(f"{header}.{payload}.{base64url_encode(mac).decode()}")


class TestConfiguration:
    @pytest.mark.parametrize(
        "key",
        ["no key", pem(rsa.generate_private_key(65537, 1024)), pem(ec.generate_private_key(ec.SECP384R1()))],
        ids=["garbage", "short RSA", "another curve"],
    )
    def test_weak_or_broken_keys_stop_the_start_without_being_shown(self, key: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            keys_of(one=key)
        assert "one" in str(caught.value)
        assert "PRIVATE" not in str(caught.value)

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"a": 1}'])
    def test_other_shapes_stop_the_start(self, text: str) -> None:
        with pytest.raises(ConfigurationError):
            load_signing_keys(Settings(_env_file=None, env=Environment.TEST, signing_keys=text))  # pyright: ignore[reportArgumentType]


class TestPublished:
    async def test_nothing_while_the_ring_signs(self, client: httpx.AsyncClient) -> None:
        reply = await client.get("/.well-known/jwks.json")
        assert (reply.status_code, reply.json()) == (200, {"keys": []})
        assert reply.headers["cache-control"] == "public, max-age=300"

    async def test_a_service_with_keys_signs_in_with_them(self, settings: Settings, tmp_path: Any) -> None:
        file = tmp_path / "keys.json"
        file.write_text(json.dumps({"2026-11": pem(ed25519.Ed25519PrivateKey.generate())}))
        settings = settings.model_copy(update={"signing_keys_file": file})
        assert settings.database_url is not None
        async with wiring.open_runtime(settings, settings.database_url.get_secret_value()) as runtime:
            app = create_litestar(settings, lambda: wiring.already_open(runtime))
            transport = httpx.ASGITransport(Gateway(app, settings))  # pyright: ignore[reportArgumentType]
            async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "name": "Leyla"}
                made = (await client.post("/api/v1/auth/register", json=body)).json()
                (published,) = (await client.get("/.well-known/jwks.json")).json()["keys"]
                claims = jwt.decode(
                    made["access_token"], jwt.PyJWK(published).key, ["EdDSA"], audience="memi", issuer=settings.base_url
                )
                assert UUID(claims["sub"]) == UUID(made["user"]["id"])
                headers = {"Authorization": f"Bearer {made['access_token']}"}
                assert (await client.get("/api/v1/users/me", headers=headers)).status_code == 200
