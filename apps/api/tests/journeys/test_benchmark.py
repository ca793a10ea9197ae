"""What is measured answers: memi and the bare server give the same bytes for every request of the benchmark."""

import asyncio
import sys
from pathlib import Path


async def test_the_floor_replays_what_memi_ran(repository: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o711)  # as root the database runs as another user, who must be able to pass through
    command = [sys.executable, "-m", "bench.run", "--check", "--listings", "300", "--data-dir", str(tmp_path / "data")]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=repository, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(200):
        printed = (await process.communicate())[0].decode()
    assert process.returncode == 0, printed[-3000:]
    for scenario in ("browse", "filtered browse", "text search", "listing page", "message send"):
        assert f"\n{scenario}: " in f"\n{printed}", printed[-3000:]
