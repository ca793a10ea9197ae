"""ID tokens that are forged, stale or somebody else's, and providers that fail: nobody is signed in by them."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from memi.auth.oauth_providers import Providers
from memi.platform.runtime import Runtime
from memi.platform.settings import Settings
from support.oidc import CLIENT_ID, CLIENT_SECRET, FRONT_END, MEMI, Browser, query_of
from support.oidc_evil import EvilProvider
from support.people import People
from support.sql import Sql

Tamper = Callable[[EvilProvider, str], str]


@pytest.fixture(scope="module")
def shared_evil() -> Iterator[EvilProvider]:
    with EvilProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def settings(settings: Settings, shared_evil: EvilProvider) -> Settings:
    """Google is evil, and Apple not configured."""
    return settings.model_copy(
        update={
            "google_issuer": shared_evil.issuer,
            "google_client_id": CLIENT_ID,
            "google_client_secret": SecretStr(CLIENT_SECRET),
            "apple_client_id": None,
            "apple_team_id": None,
            "apple_key_id": None,
            "apple_private_key": None,
        }
    )


@pytest.fixture
async def evil(shared_evil: EvilProvider, runtime: Runtime, settings: Settings) -> Any:
    """Honest at first, and known to nobody yet."""
    shared_evil.reset()
    await runtime.adapters.get(Providers).aclose()
    runtime.adapters.set(Providers, Providers(settings))
    return shared_evil


async def trip(browser: Browser, evil: EvilProvider, tamper: Tamper) -> dict[str, str]:
    """A trip at whose end the provider gives the token that `tamper` makes for the nonce."""
    reply = await browser.start("google")
    assert reply.status_code == 302, reply.text
    sent = query_of(reply.headers["location"])
    if "error" in sent:
        return sent
    evil.id_token = tamper(evil, sent["nonce"])
    back = await browser.http.get(
        f"{MEMI}/api/v1/auth/oauth/google/callback", params={"code": "x", "state": sent["state"]}
    )
    assert back.status_code == 303, back.text
    assert back.headers["location"].startswith(f"{FRONT_END}?")
    return query_of(back.headers["location"])


def good(evil: EvilProvider, nonce: str, /, **changes: Any) -> str:
    return evil.sign(evil.claims(nonce, CLIENT_ID, **changes))


def claims(**changes: Any) -> Tamper:
    """A good token but for these claims; a time is said as seconds from the moment that it is made."""
    return lambda evil, nonce: good(
        evil, nonce, **{name: value() if callable(value) else value for name, value in changes.items()}
    )


def now(seconds: int) -> Callable[[], int]:
    return lambda: int(time.time()) + seconds


def _by_hand(evil: EvilProvider, nonce: str, alg: str, mac: Callable[[bytes], bytes]) -> str:
    """What a library would refuse to sign."""
    parts = [{"alg": alg, "kid": "good"}, evil.claims(nonce, CLIENT_ID)]
    signed = b".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    return f"{signed.decode()}.{urlsafe_b64encode(mac(signed)).rstrip(b'=').decode()}"


def _with_public_key_as_secret(evil: EvilProvider, nonce: str) -> str:
    secret = evil.key.as_pem(private=False)
    return _by_hand(evil, nonce, "HS256", lambda signed: hmac.digest(secret, signed, "sha256"))


def _with_client_secret(evil: EvilProvider, nonce: str) -> str:
    return _by_hand(evil, nonce, "HS256", lambda signed: hmac.digest(CLIENT_SECRET.encode(), signed, "sha256"))


def _without_signature(evil: EvilProvider, nonce: str) -> str:
    return _by_hand(evil, nonce, "none", lambda _: b"")


def _naming_none_beside_a_key_for_encryption(evil: EvilProvider, nonce: str) -> str:
    evil.keys.append(evil.other_key.as_dict(private=False) | {"use": "enc"})
    return evil.sign(evil.claims(nonce, CLIENT_ID), kid=None)


def _changed_after_signing(evil: EvilProvider, nonce: str) -> str:
    head, _, signature = good(evil, nonce).split(".")
    _, body, _ = good(evil, nonce, sub="somebody else").split(".")
    return f"{head}.{body}.{signature}"


FORGED: dict[str, Tamper] = {
    "signed by another key of the same name": lambda evil, nonce: evil.sign(
        evil.claims(nonce, CLIENT_ID), key=evil.other_key
    ),
    "signed by a key that is not published": lambda evil, nonce: evil.sign(
        evil.claims(nonce, CLIENT_ID), key=evil.other_key, kid="unknown"
    ),
    "naming no key where there are several": lambda evil, nonce: (
        evil.keys.append(evil.other_key.as_dict(private=False) | {"kid": "second"}),
        evil.sign(evil.claims(nonce, CLIENT_ID), kid=None),
    )[1],
    "its own key in the header": lambda evil, nonce: evil.sign(
        evil.claims(nonce, CLIENT_ID), key=evil.other_key, kid="own", jwk=evil.other_key.as_dict(private=False)
    ),
    "the algorithm of another kind of key": lambda evil, nonce: evil.sign(
        evil.claims(nonce, CLIENT_ID), key=evil.ec_key, alg="ES256", kid="good"
    ),
    "unsigned": _without_signature,
    "HS256 by the public key": _with_public_key_as_secret,
    "HS256 by the client secret": _with_client_secret,
    "an algorithm that is not ours": lambda evil, nonce: evil.sign(evil.claims(nonce, CLIENT_ID), alg="PS256"),
    "changed after it was signed": _changed_after_signing,
    "half of it": lambda evil, nonce: good(evil, nonce).rpartition(".")[0],
    "nonsense": lambda evil, nonce: "nonsense",
    "too long": lambda evil, nonce: good(evil, nonce, padding="x" * 20_000),
    "a critical header nobody knows": lambda evil, nonce: evil.sign(
        evil.claims(nonce, CLIENT_ID), crit=["exotic"], exotic=1
    ),
    "another issuer": claims(iss="https://accounts.google.com"),
    "no issuer": claims(iss=None),
    "another client": claims(aud="somebody else"),
    "no audience": claims(aud=None),
    "several audiences and no party": claims(aud=[CLIENT_ID, "another"]),
    "made for another party": claims(azp="somebody else"),
    "several audiences and another party": claims(aud=[CLIENT_ID, "another"], azp="another"),
    "another nonce": claims(nonce="another"),
    "no nonce": claims(nonce=None),
    "a nonce among others": lambda evil, nonce: good(evil, nonce, nonce=[nonce]),
    "expired": claims(exp=now(-120)),
    "no end": claims(exp=None),
    "an end that never comes": claims(exp=float("nan")),
    "an end in words": claims(exp="tomorrow"),
    "from the future": claims(iat=now(600)),
    "from long ago": claims(iat=now(-3600)),
    "no beginning": claims(iat=None),
    "not valid yet": claims(nbf=now(600)),
    "nobody": claims(sub=None),
    "an empty subject": claims(sub=""),
    "a subject that is a number": claims(sub=7),
    "a subject too long": claims(sub="x" * 256),
    "a subject not of ASCII": claims(sub="\ud800"),
}


class TestIdTokens:
    @pytest.mark.parametrize("tamper", FORGED.values(), ids=FORGED.keys())
    async def test_a_token_that_proves_nothing(
        self, evil: EvilProvider, browser: Browser, sql: Sql, tamper: Tamper
    ) -> None:
        outcome = await trip(browser, evil, tamper)
        assert outcome == {"error": "invalid_callback", "provider": "google"}
        assert await sql.value("SELECT count(*) FROM users") == 0
        assert await sql.value("SELECT count(*) FROM oauth_results") == 0

    @pytest.mark.parametrize(
        "tamper",
        [
            claims(),
            claims(aud=[CLIENT_ID]),
            claims(aud=[CLIENT_ID, "another"], azp=CLIENT_ID),
            claims(exp=now(-30)),
            claims(email_verified="true"),
            claims(name="\ud800x"),
            lambda evil, nonce: evil.sign(evil.claims(nonce, CLIENT_ID), kid=None),
            lambda evil, nonce: evil.sign(evil.claims(nonce, CLIENT_ID), exotic=1),
            _naming_none_beside_a_key_for_encryption,
            lambda evil, nonce: evil.sign(evil.claims(nonce, CLIENT_ID), key=evil.ec_key, alg="ES256", kid="curve"),
        ],
    )
    async def test_a_token_that_does(self, evil: EvilProvider, browser: Browser, sql: Sql, tamper: Tamper) -> None:
        assert set(await trip(browser, evil, tamper)) == {"code", "provider"}
        await sql.execute("DELETE FROM users")

    async def test_made_up_keys_have_the_published_ones_read_anew_once(
        self, evil: EvilProvider, browser: Browser
    ) -> None:
        for number in range(5):
            outcome = await trip(
                browser,
                evil,
                lambda evil, nonce, kid=f"made up {number}": evil.sign(evil.claims(nonce, CLIENT_ID), kid=kid),
            )
            assert outcome["error"] == "invalid_callback"
        assert evil.asked.count("/jwks") == 2
        assert evil.asked.count("/.well-known/openid-configuration") == 1

    @pytest.mark.parametrize("key", [{"kty": "RSA"}, {"kty": "oct", "k": "AAAA"}, {"kty": 7}, 7, None, {}])
    async def test_keys_that_nobody_can_read_leave_the_others_good(
        self, evil: EvilProvider, browser: Browser, sql: Sql, key: Any
    ) -> None:
        evil.keys.insert(0, key)
        assert "code" in await trip(browser, evil, good)
        await sql.execute("DELETE FROM users")

    @pytest.mark.parametrize("change", [{"use": "enc"}, {"n": "AQAB" * 40}])
    async def test_a_key_that_is_not_for_this_or_too_short(
        self, evil: EvilProvider, browser: Browser, change: dict[str, str]
    ) -> None:
        evil.keys[0].update(change)
        assert (await trip(browser, evil, good))["error"] == "invalid_callback"


class TestProvidersThatFail:
    @pytest.mark.parametrize(
        "reply",
        [
            (500, {}, b"{}"),
            (404, {}, b"{}"),
            (429, {}, b"{}"),
            (302, {"Location": "http://127.0.0.1:1/"}, b""),
            (200, {}, b"<html>"),
            (200, {}, b"[]"),
            (200, {}, b"\xff\xfe"),
            (200, {}, b'{"a": "' + b"x" * 300_000 + b'"}'),
            (200, {"Content-Length": "1000"}, b"{"),
        ],
    )
    @pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token"])
    async def test_nonsense_sends_the_browser_back(
        self, evil: EvilProvider, browser: Browser, sql: Sql, path: str, reply: tuple[int, dict[str, str], bytes]
    ) -> None:
        evil.replies[path] = reply
        outcome = await trip(browser, evil, good)
        expected = "invalid_callback" if (path, reply[0]) == ("/token", 404) else "provider_unavailable"
        assert outcome == {"error": expected, "provider": "google"}
        assert await sql.value("SELECT count(*) FROM users") == 0

    @pytest.mark.parametrize(
        "change",
        [
            {"issuer": "https://accounts.google.com"},
            {"token_endpoint": "http://example.com/token"},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"authorization_endpoint": "https://accounts.google.com/\r\nSet-Cookie: a=b"},
            {"authorization_endpoint": "https:///authorize"},
            {"authorization_endpoint": "https://[/authorize"},
            {"jwks_uri": None},
            {"jwks_uri": ["x"]},
        ],
    )
    async def test_a_discovery_document_that_is_not_to_be_trusted(
        self, evil: EvilProvider, browser: Browser, change: dict[str, Any]
    ) -> None:
        evil.metadata.update(change)
        assert (await trip(browser, evil, good))["error"] == "provider_unavailable"
        assert set(evil.asked) == {"/.well-known/openid-configuration"}

    async def test_a_provider_that_takes_too_long(self, evil: EvilProvider, browser: Browser) -> None:
        evil.delay = 6.0
        before = time.monotonic()
        assert (await trip(browser, evil, good))["error"] == "provider_unavailable"
        assert time.monotonic() - before < 6.0

    async def test_a_provider_that_is_back_works_again(self, evil: EvilProvider, browser: Browser, sql: Sql) -> None:
        evil.replies["/.well-known/openid-configuration"] = (503, {}, b"{}")
        for _ in range(3):
            assert (await trip(browser, evil, good))["error"] == "provider_unavailable"
        assert len(evil.asked) == 1  # a crowd does not wait for the same failure one by one
        evil.replies.clear()
        time.sleep(1.1)
        assert "code" in await trip(browser, evil, good)
        await sql.execute("DELETE FROM users")

    async def test_a_refused_client_is_ours_to_mend(self, evil: EvilProvider, browser: Browser) -> None:
        evil.replies["/token"] = (401, {}, json.dumps({"error": "invalid_client"}).encode())
        assert (await trip(browser, evil, good))["error"] == "provider_unavailable"

    async def test_linking_says_so_at_once(
        self, evil: EvilProvider, browser: Browser, people: People, sql: Sql
    ) -> None:
        person = await people.new()
        await sql.execute("UPDATE users SET email_verified_at = now()")
        evil.replies["/.well-known/openid-configuration"] = (500, {}, b"{}")
        reply = await browser.http.post(f"{MEMI}/api/v1/auth/oauth/google/link", json={}, headers=person.headers)
        assert (reply.status_code, reply.json()["code"]) == (503, "provider_unavailable")
        assert "127.0.0.1" not in reply.json()["detail"]


class TestNotConfigured:
    async def test_a_provider_without_configuration_is_404(self, browser: Browser, people: People) -> None:
        replies: list[httpx.Response] = [await browser.start("apple")]
        url = f"{MEMI}/api/v1/auth/oauth/apple"
        replies.append(await browser.http.post(f"{url}/callback", data={"state": "x"}))
        person = await people.new()
        replies.append(await browser.http.post(f"{url}/link", json={}, headers=person.headers))
        for reply in replies:
            assert (reply.status_code, reply.json()["code"]) == (404, "provider_not_configured")
