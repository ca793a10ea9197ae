"""The service as memi and its tests meet it: over HTTP, as a process of its own."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from standardwebhooks import Webhook

PROGRAM = Path(__file__).parents[1]
TOKEN, SECRET = "try-me", "whsec_YSBzZWNyZXQgb25seSBmb3IgdHJ5aW5nIG91dA=="


class Receiver:
    """What memi would be: takes events, and answers as told."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, object]]] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                event = Webhook(SECRET).verify(body, dict(self.headers.items()))
                receiver.got.append((self.headers["webhook-id"], event))
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on the console."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def wait(self, number: int) -> list[str]:
        """The kinds of the first `number` events."""
        deadline = time.monotonic() + 20
        while len(self.got) < number:
            assert time.monotonic() < deadline, self.got
            time.sleep(0.05)
        return [str(event["type"]) for _, event in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def client(tmp_path: Path, receiver: Receiver) -> Iterator[httpx.Client]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "PAYMENTS_PORT": str(port),
        "PAYMENTS_TOKEN": TOKEN,
        "PAYMENTS_WEBHOOK_SECRET": SECRET,
        "PAYMENTS_WEBHOOK_URL": receiver.url,
        "PAYMENTS_DATA": str(tmp_path / "payments.sqlite"),
    }
    process = subprocess.Popen([sys.executable, "-m", "payments_service"], env=environment, cwd=PROGRAM)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False) as made:
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            try:
                made.get("/admin/events")
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield made
    process.terminate()
    assert process.wait(10) in (0, -15)


def begin(client: httpx.Client, key: str | None = None, **more: object) -> httpx.Response:
    body = {"order_id": str(uuid4()), "amount": 4500, "currency": "AZN", "description": "Wool coat", **more}
    return client.post("/payments", json=body, headers={"Idempotency-Key": key or uuid4().hex})


def move(client: httpx.Client, payment: str, name: str) -> str:
    reply = client.post(f"/payments/{payment}/{name}", json={}, headers={"Idempotency-Key": uuid4().hex})
    assert reply.status_code == 200, reply.text
    return reply.json()["status"]


def press(client: httpx.Client, payment: str, outcome: str) -> httpx.Response:
    return client.post(f"/pay/{payment}", data={"outcome": outcome})


def test_only_who_has_the_token_is_served(client: httpx.Client) -> None:
    for method, path in (("POST", "/payments"), ("GET", "/payments/pay_1"), ("PUT", "/admin/knobs")):
        assert client.request(method, path, headers={"Authorization": "Bearer no"}).status_code == 401


def test_a_payment_is_paid_on_its_page_and_told(client: httpx.Client, receiver: Receiver) -> None:
    made = begin(client, description="<b>Wool</b>", return_url="http://shop.example/done")
    assert (made.status_code, made.json()["status"]) == (201, "PENDING")
    page = client.get(made.json()["payment_url"])
    assert "&lt;b&gt;Wool" in page.text
    assert press(client, made.json()["id"], "pay").headers["location"] == "http://shop.example/done"
    assert receiver.wait(1) == ["payment.succeeded"]
    assert receiver.got[0][1]["data"] == {
        "payment_id": made.json()["id"],
        **{name: made.json()[name] for name in ("order_id", "amount", "currency")},
    }


def test_a_key_is_answered_once(client: httpx.Client) -> None:
    order = str(uuid4())
    first, again = begin(client, "key", order_id=order), begin(client, "key", order_id=order)
    assert first.json() == again.json()
    assert begin(client, "key", order_id=order, amount=1).status_code == 422
    assert begin(client, "other key", order_id=order).json()["id"] == first.json()["id"], "one payment of an order"


def test_payments_only_move_forward(client: httpx.Client, receiver: Receiver) -> None:
    paid, failed, cancelled = (begin(client).json()["id"] for _ in range(3))
    press(client, paid, "pay")
    press(client, failed, "fail")
    assert [move(client, name, "cancel") for name in (paid, failed, cancelled)] == ["SUCCEEDED", "FAILED", "CANCELLED"]
    assert [move(client, name, "refund") for name in (paid, failed, cancelled)] == ["REFUNDED", "FAILED", "CANCELLED"]
    kinds = receiver.wait(4)
    assert sorted(kinds) == ["payment.cancelled", "payment.failed", "payment.refunded", "payment.succeeded"]


def test_events_are_told_until_they_are_taken(client: httpx.Client, receiver: Receiver) -> None:
    receiver.status = 503
    press(client, begin(client).json()["id"], "pay")
    receiver.wait(2)
    receiver.status = 200
    number = len(receiver.got)
    receiver.wait(number + 1)
    assert len({name for name, _ in receiver.got}) == 1


def test_it_misbehaves_on_command(client: httpx.Client, receiver: Receiver) -> None:
    def turn(**knobs: object) -> None:
        client.put("/admin/knobs", content=json.dumps(knobs)).raise_for_status()

    assert client.put("/admin/knobs", content=b'{"explode": true}').status_code == 422
    turn(fail=1)
    assert [begin(client).status_code for _ in range(2)] == [500, 201]
    turn(lose=1)
    order = str(uuid4())
    assert begin(client, "lost", order_id=order).status_code == 500
    assert begin(client, "lost", order_id=order).status_code == 201
    turn(hang=True)
    with pytest.raises(httpx.ReadTimeout):
        client.get("/payments/pay_1", timeout=0.5)
    turn(hang=False, paused=True, reorder=True, duplicate=1, drop=1)
    name = begin(client).json()["id"]
    press(client, name, "pay")
    move(client, name, "refund")
    time.sleep(0.5)
    assert receiver.got == []
    turn(paused=False)
    assert receiver.wait(3)[:3] == ["payment.refunded", "payment.succeeded", "payment.succeeded"]
