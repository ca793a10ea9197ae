"""`memi export usage`: what is in the files is what is in the table."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from memi.platform.embedded_postgres import EmbeddedUrls
from support.service import environment, free_port, memi

pq: Any = import_module("pyarrow.parquet")  # which has no types
_FILL = """
INSERT INTO usage_events (id, at, kind, listing_id, search_id, position, category, words, visitor, person, properties)
SELECT gen_random_uuid(), timestamptz '2026-01-01 00:00Z' + n * interval '97 seconds',
    (ARRAY['LISTING_VIEW','SEARCH','SEARCH_CLICK','FAVORITE','CONTACT','RESERVE','ORDER','SOLD','PUBLISH'])[1 + n % 9],
    CASE WHEN n % 9 <> 1 THEN md5('l' || n % 500)::uuid END, CASE WHEN n % 9 IN (1, 2) THEN md5('s' || n)::uuid END,
    CASE WHEN n % 9 = 2 THEN 1 + n % 40 END, CASE WHEN n % 2 = 0 THEN 'women-clothes' END,
    CASE WHEN n % 9 = 1 THEN 'yun "palto" ' || n END, decode(md5('v' || n % 900), 'hex'),
    CASE WHEN n % 4 = 0 THEN decode(md5('p' || n % 50), 'hex') END,
    CASE WHEN n % 9 = 1 THEN '{"empty": true}'::jsonb ELSE '{}' END
FROM generate_series(1, $1) AS n
"""
ROWS = 45_000
WINDOW = ("--from", "2026-01-05", "--to", "2026-01-25T12:00:00Z")
BOUNDS = (datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 25, 12, tzinfo=UTC))


@pytest.fixture(scope="module")
def database(server: EmbeddedUrls, template: str) -> Iterator[str]:
    """A database with events, and nobody in it."""
    name = f"test_{uuid4().hex[:12]}"

    async def make() -> None:
        connection = await asyncpg.connect(server.migrator)
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        await connection.close()
        connection = await asyncpg.connect(server.migrator.rsplit("/", 1)[0] + "/" + name)
        for month in (1, 2, 3):
            await connection.execute(f"SELECT usage_make_partition('2026-{month:02}-01')")
        await connection.execute(_FILL.replace("$1", str(ROWS)))
        await connection.close()

    async def drop() -> None:
        connection = await asyncpg.connect(server.migrator)
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()

    asyncio.run(make())
    yield name
    asyncio.run(drop())


@pytest.fixture
def env(tmp_path: Path, server: EmbeddedUrls, database: str) -> dict[str, str]:
    return environment(tmp_path, free_port(), MEMI_DATABASE_URL=server.app.rsplit("/", 1)[0] + "/" + database)


@pytest.fixture(scope="module")
def stored(server: EmbeddedUrls, database: str) -> list[dict[str, Any]]:
    """The rows of the window, as the files should tell them."""

    async def read() -> list[dict[str, Any]]:
        connection = await asyncpg.connect(server.migrator.rsplit("/", 1)[0] + "/" + database)
        rows = await connection.fetch("SELECT * FROM usage_events WHERE at >= $1 AND at < $2 ORDER BY at, id", *BOUNDS)
        await connection.close()
        return [{name: _plain(value) for name, value in row.items()} for row in rows]

    return asyncio.run(read())


def _plain(value: Any) -> Any:
    match value:
        case UUID():
            return str(value)
        case bytes():
            return value.hex()
        case _:
            return value


def export(env: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return memi("export", "usage", *arguments, env=env, cwd=folder)


def test_parquet_read_back_is_the_table(env: dict[str, str], tmp_path: Path, stored: list[dict[str, Any]]) -> None:
    done = export(env, tmp_path, "--format", "parquet", "--out", "usage.parquet", *WINDOW)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert f"{len(stored)} events" in done.stderr.replace("\n", " ")
    table = pq.read_table(tmp_path / "usage.parquet")
    assert table.num_rows == len(stored) > 15_000
    assert set(table.column_names) == set(stored[0])
    for name in table.column_names:
        assert table.column(name).to_pylist() == [row[name] for row in stored], name
    positions = [row["position"] for row in stored if row["position"] is not None]
    assert sum(value for value in table.column("position").to_pylist() if value is not None) == sum(positions) > 0
    assert str(table.schema.field("at").type) == "timestamp[us, tz=UTC]"
    assert pq.ParquetFile(tmp_path / "usage.parquet").num_row_groups == 1


def test_more_than_a_batch_comes_in_row_groups(env: dict[str, str], tmp_path: Path) -> None:
    done = export(env, tmp_path, "--format", "parquet", "--out", "all.parquet")
    assert done.returncode == 0, done.stderr
    file = pq.ParquetFile(tmp_path / "all.parquet")
    assert (file.metadata.num_rows, file.num_row_groups) == (ROWS, 3)
    assert len(set(pq.read_table(tmp_path / "all.parquet").column("id").to_pylist())) == ROWS


def test_jsonl_read_back_is_the_table(env: dict[str, str], tmp_path: Path, stored: list[dict[str, Any]]) -> None:
    done = export(env, tmp_path, "--format", "jsonl", "--out", "usage.jsonl", *WINDOW)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "usage.jsonl").read_text().splitlines()]
    assert len(lines) == len(stored)
    for line, row in zip(lines, stored, strict=True):
        assert line["at"].endswith("Z")
        line["at"] = datetime.fromisoformat(line["at"])
        line["properties"] = json.dumps(line["properties"])
        assert line == row


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_a_span_without_events_is_a_whole_file_without_rows(env: dict[str, str], tmp_path: Path, kind: str) -> None:
    out = tmp_path / "none"
    done = export(env, tmp_path, "--format", kind, "--out", str(out), "--from", "2020-01-01", "--to", "2020-02-01")
    assert done.returncode == 0, done.stderr
    if kind == "jsonl":
        assert out.read_bytes() == b""
    else:
        table = pq.read_table(out)
        assert table.num_rows == 0
        assert "visitor" in table.column_names


def test_a_file_that_is_there_stays_unless_it_is_forced(env: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "usage.jsonl"
    out.write_text("mine")
    refused = export(env, tmp_path, "--format", "jsonl", "--out", str(out), *WINDOW)
    assert (refused.returncode, "--force" in refused.stderr) == (2, True)
    assert out.read_text() == "mine"
    assert export(env, tmp_path, "--format", "jsonl", "--out", str(out), "--force", *WINDOW).returncode == 0
    assert out.read_text().startswith("{")
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--from", "soon"), "--from"),
        (("--from", "2026-02-01", "--to", "2026-01-01"), "--from must be before --to"),
        (("--out", "nowhere/usage.jsonl"), "nowhere/usage.jsonl"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(
    env: dict[str, str], tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    refused = export(env, tmp_path, "--format", "jsonl", "--out", "usage.jsonl", *arguments)
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert line.startswith("memi: ")
    assert says in line
    assert not (tmp_path / "usage.jsonl").exists()


def test_without_pyarrow_it_says_what_is_missing(env: dict[str, str], tmp_path: Path) -> None:
    """As where the extra is not installed: a finder stands in front that knows of no such package."""
    script = (
        "import sys\n"
        "class Without:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'pyarrow':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Without())\n"
        "from memi.cli.main import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", script, "export", "usage", "--format", "parquet", "--out", "usage.parquet"]
    refused = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert 'memi: Parquet needs pyarrow: install "memi[export]"' in refused.stderr
    assert not (tmp_path / "usage.parquet").exists()


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_killed_in_the_middle_it_leaves_no_half_file_under_the_name(
    env: dict[str, str], tmp_path: Path, kind: str
) -> None:
    """It is given small batches and time between them, so that there is a middle."""
    out = tmp_path / "usage.out"
    script = (
        "import os, sys, time\n"
        "from memi.cli import export\n"
        "export.BATCH = 1000\n"
        "def slow(self, rows, write=export._Lines.write):\n"
        "    write(self, rows); time.sleep(0.05)\n"
        "from memi.cli import parquet\n"
        "def slow_parquet(self, rows, write=parquet.ParquetSink.write):\n"
        "    write(self, rows); time.sleep(0.05)\n"
        "export._Lines.write = slow\n"
        "parquet.ParquetSink.write = slow_parquet\n"
        "from memi.cli.main import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", script, "export", "usage", "--format", kind, "--out", str(out)]
    with subprocess.Popen(
        command, env=env, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        part = tmp_path / f".usage.out.{process.pid}.part"
        while not (part.exists() and part.stat().st_size > 0):
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert part.stat().st_size > 0
    assert not out.exists()
    assert export(env, tmp_path, "--format", kind, "--out", str(out), *WINDOW).returncode == 0
    assert out.stat().st_size > 0
