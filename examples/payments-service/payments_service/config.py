"""What the service is told by its environment."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Config:
    port: int
    token: str
    """The bearer token that memi and the admin calls must bring."""
    webhook_secret: str
    webhook_url: str
    data: Path
    """An SQLite file; payments and events that are still to be told survive a restart."""

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def read_config() -> Config:
    """Raises `KeyError` for what has no default: secrets have none."""
    return Config(
        port=int(os.environ.get("PAYMENTS_PORT", "8100")),
        token=os.environ["PAYMENTS_TOKEN"],
        webhook_secret=os.environ["PAYMENTS_WEBHOOK_SECRET"],
        webhook_url=os.environ.get("PAYMENTS_WEBHOOK_URL", "http://127.0.0.1:8000/api/v1/webhooks/payments"),
        data=Path(os.environ.get("PAYMENTS_DATA", "payments.sqlite")),
    )
