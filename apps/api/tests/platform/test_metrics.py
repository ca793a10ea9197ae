"""Who may read the metrics."""

import re
from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr

from memi import wiring
from memi.app import create_litestar
from memi.platform.gateway import Gateway
from memi.platform.runtime import Runtime
from support.sql import Sql


@pytest.mark.parametrize(
    ("authorization", "status"),
    [(b"Bearer sesame", 200), (b"Bearer sesam", 404), (b"sesame", 404), (b"Bearer \xe9", 404), (None, 404)],
)
async def test_only_with_the_token_when_there_is_one(
    runtime: Runtime, authorization: bytes | None, status: int
) -> None:
    settings = runtime.settings.model_copy(update={"metrics_token": SecretStr("sesame")})
    guarded = replace(runtime, settings=settings)
    app = create_litestar(settings, lambda: wiring.already_open(guarded))
    async with app.lifespan():
        transport = httpx.ASGITransport(Gateway(app, settings))  # pyright: ignore[reportArgumentType]
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            headers = {"Authorization": authorization} if authorization is not None else {}
            assert (await client.get("/metrics", headers=headers)).status_code == status  # pyright: ignore[reportArgumentType]


async def test_it_tells_what_waits_and_how_old_it_is(client: httpx.AsyncClient, sql: Sql) -> None:
    text = (await client.get("/metrics")).text
    assert 'memi_moderation_waiting{kind="report"} 0.0' in text
    assert 'memi_moderation_waiting{kind="appeal"} 0.0' in text
    assert "memi_mails_due 0.0" in text
    assert re.search(r"^memi_audit_entries \d", text, re.MULTILINE)
    for pool in ("hot", "hot_by_value", "sessions"):
        assert re.search(rf'^memi_pool_limit\{{pool="{pool}"\}} [1-9]', text, re.MULTILINE)
