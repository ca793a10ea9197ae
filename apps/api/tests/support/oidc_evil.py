"""A provider that says what a test tells it to, true or not."""

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry, serialize_compact


class _Anything(JWSRegistry):
    """Signs whatever header."""

    def check_header(self, header: Any) -> None:
        """Everything goes."""


class EvilProvider:
    """Honest until told otherwise: `replies` has (status, headers, body) by path, `id_token` is what /token gives."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "good", "use": "sig"})
        self.other_key = RSAKey.generate_key(2048, {"kid": "good", "use": "sig"})
        self.ec_key = ECKey.generate_key("P-256", {"kid": "curve", "use": "sig"})
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                provider.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing on the console."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.reset()

    def reset(self) -> None:
        """Honest again."""
        self.asked: list[str] = []
        self.delay = 0.0
        self.id_token: str | None = None
        self.keys: list[dict[str, Any]] = [self.key.as_dict(private=False), self.ec_key.as_dict(private=False)]
        self.metadata: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
        }
        self.replies: dict[str, tuple[int, dict[str, str], bytes]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        self.asked.append(path)
        time.sleep(self.delay)
        status, headers, body = self.replies.get(path) or (200, {}, json.dumps(self._honest(path)).encode())
        request.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        with contextlib.suppress(OSError):  # the other side may have had enough
            request.wfile.write(body)

    def _honest(self, path: str) -> dict[str, Any]:
        if path == "/.well-known/openid-configuration":
            return self.metadata
        if path == "/jwks":
            return {"keys": self.keys}
        return {"access_token": "unused", "token_type": "Bearer", "id_token": self.id_token}

    def claims(self, nonce: str, client_id: str, /, **changes: Any) -> dict[str, Any]:
        """Those of a good token, changed; None takes one away."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": client_id,
            "sub": "somebody",
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "email": "somebody@example.com",
            "email_verified": True,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, claims: dict[str, Any], *, key: Any = None, alg: str = "RS256", **header: Any) -> str:
        full = {"typ": "JWT", "alg": alg, "kid": "good", **header}
        kept = {name: value for name, value in full.items() if value is not None}
        return serialize_compact(kept, json.dumps(claims), key or self.key, registry=_Anything(algorithms=[alg]))
