"""Telling memi: Standard Webhooks, tried again with growing pauses until it answers 2xx."""

import asyncio
from datetime import UTC, datetime

import httpx
from standardwebhooks import Webhook

from payments_service.knobs import Knobs
from payments_service.store import Row, Store

_POLL_SECONDS = 0.1


class Delivery:
    def __init__(self, store: Store, knobs: Knobs, secret: str, url: str) -> None:
        self._store, self._knobs, self._url = store, knobs, url
        self._signer = Webhook(secret)

    async def run(self) -> None:
        """Deliver what is due, for ever."""
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            while True:
                for event in [] if self._knobs.paused else self._store.due(self._knobs.reorder):
                    await self._deliver(client, event)
                await asyncio.sleep(_POLL_SECONDS)

    async def _deliver(self, client: httpx.AsyncClient, event: Row) -> None:
        done = False
        for _ in range(1 + self._knobs.duplicate):
            done = await self._post(client, event) or done
        if done:
            self._store.told(event["seq"])
        else:
            self._store.try_later(event["seq"], event["tries"])

    async def _post(self, client: httpx.AsyncClient, event: Row) -> bool:
        if self._knobs.use("drop"):
            return False
        now = datetime.now(UTC)  # each try is signed anew: memi takes nothing that is older than five minutes
        headers = {
            "Content-Type": "application/json",
            "webhook-id": event["id"],
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(event["id"], now, event["body"]),
        }
        try:
            reply = await client.post(self._knobs.webhook_url or self._url, content=event["body"], headers=headers)
        except httpx.HTTPError:
            return False
        return reply.is_success
