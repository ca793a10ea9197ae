"""The package of `examples`, installed as anybody would, in a real memi that it acts in."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.settings import Settings
from support.items import make_listing
from support.people import People
from support.sql import Sql
from support.talks import Talks
from support.whole import until, whole


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """Where the package was installed, with nothing fetched from anywhere."""
    target = tmp_path_factory.mktemp("installed")
    source = repository / "examples" / "intelligence-plugin"
    command = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--offline", "--no-cache"]
    command += ["--no-deps", "--no-build-isolation", "--python", sys.executable, "--target", str(target), str(source)]
    env = {**os.environ, "UV_NO_PROGRESS": "1"}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert (target / "memi_example_plugin" / "prices.py").is_file()
    return target


async def test_it_advises_and_moderates(  # noqa: PLR0917  # fixtures
    installed: Path, database_urls: EmbeddedUrls, settings: Settings, people: People, talks: Talks, sql: Sql
) -> None:
    seller, other, moderator = await people.new(), await people.new(), await people.moderator()
    for amount in (2000, 4000, 9000):
        await make_listing(other, sql, price={"amount": amount, "currency": "AZN"})
    talk = await talks.new()
    async with whole(database_urls, settings, installed) as memi:
        health = (await memi.client.get("/health")).json()["dependencies"]["intelligence"]
        assert (health["status"], health["detail"]) == (
            "up",
            "price_adviser: memi-example-plugin 0.1.0; chat_moderator: memi-example-plugin 0.1.0",
        )

        item = await make_listing(memi.person(seller), sql)
        reply, _ = await memi.timed(seller, "GET", f"/listings/{item['id']}/price-advice")
        assert reply.status_code == 200, reply.text
        assert [reply.json()[name]["amount"] for name in ("low", "typical", "high")] == [2000, 4000, 9000]
        assert reply.json()["based_on"] == 3

        body = {"body": "Send the prepayment by Western Union", "client_id": "1"}
        sent, _ = await memi.timed(talk.seller, "POST", f"/chats/{talk.id}/messages", body)
        assert sent.status_code == 201, sent.text
        assert sent.json()["body"] == body["body"]

        async def all_told() -> bool:
            return await sql.value("SELECT count(*) FROM intelligence_verdicts WHERE outcome = 'OK'") >= 3

        await until(all_told)
        flags = (await memi.person(moderator).get("/admin/message-flags")).json()["items"]
        assert [(flag["message_id"], flag["kind"], flag["source"]) for flag in flags] == [
            (sent.json()["id"], "SCAM", "PLUGIN")
        ]
        metrics = (await memi.client.get("/metrics")).text
        assert 'memi_intelligence_calls_total{outcome="OK",port="price_adviser"}' in metrics
        assert memi.exit_code() == 0, memi.log.read_text()
    assert memi.api.process.returncode == -signal.SIGTERM, memi.api.output()

    rows = await sql.rows(
        "SELECT port, plugin, plugin_version, subject_id, verdict::text FROM intelligence_verdicts ORDER BY id"
    )
    assert {(row["plugin"], row["plugin_version"]) for row in rows} == {("memi-example-plugin", "0.1.0")}
    assert sorted(row["port"] for row in rows) == ["chat_moderator", "price_adviser", "price_adviser"]
    prices = [json.loads(row["verdict"])["typical"] for row in rows if row["subject_id"] == UUID(item["id"])]
    assert prices == [4000, 4000], "once when it was shown, once when its seller asked"
