"""The payments service of `examples`, run as its own process, and events signed as it signs them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from standardwebhooks import Webhook

from memi.platform.settings import Settings
from support.service import free_port

PROGRAM = Path(__file__).parents[4] / "examples" / "payments-service"
TOKEN = "token-of-the-tests"
SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0cy1uZXdlcg=="
OLD_SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0cy1vbGRlcg=="
PATH = "/api/v1/webhooks/payments"


def with_payments(settings: Settings, url: str, **more: Any) -> Settings:
    """The same settings with a payments service at `url`; read anew, so that they are checked."""
    given: dict[str, Any] = {
        "payments_url": url,
        "payments_token": TOKEN,
        "payments_webhook_secrets": (SECRET, OLD_SECRET),
        **more,
    }
    return Settings.model_validate({**settings.model_dump(), **given})


def environment_of(url: str, **more: object) -> dict[str, object]:
    """The same for processes, as keyword arguments of `api_processes`."""
    return {
        "payments_url": url,
        "payments_token": TOKEN,
        "payments_webhook_secrets": f"{SECRET},{OLD_SECRET}",
        **more,
    }


@dataclass
class Event:
    """An event as it goes over the wire; `headers` sign it."""

    id: str
    body: bytes

    def headers(self, *, secret: str = SECRET, age: float = 0, **other: str) -> dict[str, str]:
        at = datetime.fromtimestamp(time.time() - age, UTC)
        return {
            "webhook-id": self.id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(secret).sign(self.id, at, self.body.decode(errors="replace")),
            **{name.replace("_", "-"): value for name, value in other.items()},
        }

    async def send(self, client: httpx.AsyncClient, **signing: Any) -> httpx.Response:
        return await client.post(PATH, content=self.body, headers=self.headers(**signing))

    async def told(self, client: httpx.AsyncClient) -> str:
        """What memi says became of it."""
        reply = await self.send(client)
        assert reply.status_code == 200, reply.text
        return reply.json()["outcome"]


def event(kind: str, data: Any, *, event_id: str | None = None, at: str | None = None) -> Event:
    timestamp = at or datetime.now(UTC).isoformat()
    body = json.dumps({"type": kind, "timestamp": timestamp, "data": data}).encode()
    return Event(event_id or f"evt_{uuid4().hex}", body)


class PaymentsService:
    """It may be stopped and started again; what it knew it still knows."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20, trust_env=False
        )

    def start(self) -> None:
        environment = {
            **os.environ,
            "PAYMENTS_PORT": str(self.port),
            "PAYMENTS_TOKEN": TOKEN,
            "PAYMENTS_WEBHOOK_SECRET": SECRET,
            "PAYMENTS_WEBHOOK_URL": "http://127.0.0.1:9",  # nobody, until a test says where
            "PAYMENTS_DATA": str(self._folder / "payments.sqlite"),
        }
        with (self._folder / "payments.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "payments_service"], env=environment, cwd=PROGRAM, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 30
        while True:
            assert self._process.poll() is None, (self._folder / "payments.log").read_text()
            assert time.monotonic() < deadline, "the payments service did not start"
            try:
                self._client.get("/admin/events").raise_for_status()
                return
            except httpx.TransportError:
                time.sleep(0.05)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def close(self) -> None:
        self._client.close()
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def turn(self, **knobs: Any) -> None:
        """Have it misbehave."""
        self._client.put("/admin/knobs", json=knobs).raise_for_status()

    def reset(self) -> None:
        self.turn(slow_seconds=0, hang=False, fail=0, lose=0, duplicate=0, reorder=False, drop=0, paused=False)

    def press(self, payment_url: str, outcome: str) -> None:
        """The buyer presses a button of the page."""
        reply = httpx.post(payment_url, data={"outcome": outcome}, trust_env=False)
        assert reply.status_code in (200, 303), reply.text

    def payment(self, payment_id: str) -> dict[str, Any]:
        return self._client.get(f"/payments/{payment_id}").raise_for_status().json()

    def refund(self, payment_id: str) -> None:
        """By the service itself, which memi only hears of."""
        headers = {"Idempotency-Key": uuid4().hex}
        self._client.post(f"/payments/{payment_id}/refund", headers=headers, content=b"{}").raise_for_status()

    def events(self, order_id: str) -> list[Event]:
        """What it has to tell of an order, oldest first."""
        rows = self._client.get("/admin/events").raise_for_status().json()
        found = [(row["id"], row["body"]) for row in rows]
        return [Event(name, body.encode()) for name, body in found if json.loads(body)["data"]["order_id"] == order_id]

    def untold(self) -> int:
        return sum(not row["told"] for row in self._client.get("/admin/events").raise_for_status().json())


@contextmanager
def payments_service(folder: Path) -> Iterator[PaymentsService]:
    service = PaymentsService(folder)
    try:
        service.start()
        yield service
    finally:
        service.close()
