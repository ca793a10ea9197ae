"""The image pool keeps pictures off the event loop and survives whatever a picture does to its child process."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pyvips

from memi.media.images import ImageRejected, RejectionCode, process_image
from memi.media.processing_pool import ImagePool, ImageWorkerCrashed

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def pool() -> AsyncIterator[ImagePool]:
    pool = ImagePool(timeout_seconds=20)
    yield pool
    await pool.aclose()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    pyvips.Image.perlin(900, 700, seed=1).linear([60.0], [128.0]).cast("uchar").jpegsave(str(path))
    return path


@pytest.fixture
def stuck(tmp_path: Path) -> Path:
    """A file that never yields a byte: whoever opens it hangs."""
    path = tmp_path / "stuck.jpg"
    os.mkfifo(path)
    return path


async def until_busy(pool: ImagePool) -> int:
    async with asyncio.timeout(20):
        while not pool.pids:
            await asyncio.sleep(0.01)
    return pool.pids[0]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(5):
        while is_running(pid):
            await asyncio.sleep(0.02)


async def test_gives_what_process_image_gives(pool: ImagePool, photo: Path) -> None:
    assert await pool.process(photo, declared_type="image/jpeg") == process_image(photo, declared_type="image/jpeg")


async def test_works_in_another_process_while_the_loop_runs_on(pool: ImagePool, photo: Path) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await pool.process(photo, declared_type="image/jpeg")
    ticking.cancel()
    assert pool.pids
    assert os.getpid() not in pool.pids
    assert ticks >= 5


async def test_no_more_children_than_workers(photo: Path) -> None:
    pool = ImagePool(workers=1)
    try:
        results = await asyncio.gather(*(pool.process(photo, declared_type="image/jpeg") for _ in range(4)))
        assert len({result.blurhash for result in results}) == 1
        assert len(pool.pids) == 1
    finally:
        await pool.aclose()


async def test_refusals_arrive_with_their_code_and_cost_no_child(pool: ImagePool, photo: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("not a picture")
    await pool.process(photo, declared_type="image/jpeg")
    pids = pool.pids

    with pytest.raises(ImageRejected) as garbage:
        await pool.process(text, declared_type="image/jpeg")
    with pytest.raises(ImageRejected) as too_big:
        await pool.process(photo, declared_type="image/jpeg", max_pixels=1000)
    with pytest.raises(FileNotFoundError):
        await pool.process(tmp_path / "absent", declared_type="image/jpeg")

    assert garbage.value.code == RejectionCode.NOT_AN_IMAGE
    assert too_big.value.code == RejectionCode.TOO_MANY_PIXELS
    assert pool.pids == pids


async def test_a_picture_that_takes_too_long_is_refused_and_its_child_killed(photo: Path, stuck: Path) -> None:
    pool = ImagePool(timeout_seconds=1.5)
    try:
        working = asyncio.create_task(pool.process(stuck, declared_type="image/jpeg"))
        pid = await until_busy(pool)
        with pytest.raises(ImageRejected) as caught:
            await working
        assert caught.value.code == RejectionCode.TIMED_OUT
        await until_gone(pid)
        assert (await pool.process(photo, declared_type="image/jpeg")).width == 900
    finally:
        await pool.aclose()


async def test_a_crash_is_told_apart_and_the_pool_recovers(pool: ImagePool, photo: Path, stuck: Path) -> None:
    for kind in (signal.SIGKILL, signal.SIGSEGV):
        working = asyncio.create_task(pool.process(stuck, declared_type="image/jpeg"))
        os.kill(await until_busy(pool), kind)
        with pytest.raises(ImageWorkerCrashed) as caught:
            await working
        assert caught.value.exit_code == -kind
    assert (await pool.process(photo, declared_type="image/jpeg")).width == 900


async def test_a_child_that_died_while_idle_is_replaced(pool: ImagePool, photo: Path) -> None:
    await pool.process(photo, declared_type="image/jpeg")
    [pid] = pool.pids
    os.kill(pid, signal.SIGKILL)
    await until_gone(pid)
    await asyncio.sleep(0.05)
    assert (await pool.process(photo, declared_type="image/jpeg")).width == 900
    assert pool.pids != [pid]


async def test_a_cancelled_call_leaves_no_child_at_work(pool: ImagePool, photo: Path, stuck: Path) -> None:
    working = asyncio.create_task(pool.process(stuck, declared_type="image/jpeg"))
    pid = await until_busy(pool)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    await until_gone(pid)
    assert (await pool.process(photo, declared_type="image/jpeg")).width == 900


async def test_children_are_replaced_after_their_share(photo: Path) -> None:
    pool = ImagePool(recycle_after=2)
    try:
        seen: list[list[int]] = []
        for _ in range(3):
            await pool.process(photo, declared_type="image/jpeg")
            seen.append(pool.pids)
        first, after_second, third = seen
        assert first
        assert after_second == []
        assert third not in ([], first)
    finally:
        await pool.aclose()


async def test_memory_is_bounded(tmp_path: Path, photo: Path) -> None:
    large = tmp_path / "large.png"
    # Interlaced, so that the decoder must hold all of it: 6,000 x 6,000 x 4 bytes and more.
    interlaced_png(large, 6_000)
    pool = ImagePool(memory_bytes=320 * 1024**2)
    try:
        with pytest.raises((ImageRejected, ImageWorkerCrashed)):
            await pool.process(large, declared_type="image/png")
        assert (await pool.process(photo, declared_type="image/jpeg")).width == 900
    finally:
        await pool.aclose()


def interlaced_png(path: Path, side: int) -> None:
    pyvips.Image.black(side, side, bands=4).copy(interpretation="srgb").pngsave(
        str(path), interlace=True, compression=1
    )


async def test_interrupt_and_stop_signals_are_left_to_the_parent(pool: ImagePool, photo: Path) -> None:
    await pool.process(photo, declared_type="image/jpeg")
    [pid] = pool.pids
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    await pool.process(photo, declared_type="image/jpeg")
    assert pool.pids == [pid]


async def test_children_know_no_secret(pool: ImagePool, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMI_KEY_RING", "very-secret")
    await pool.process(photo, declared_type="image/jpeg")
    assert b"very-secret" not in Path(f"/proc/{pool.pids[0]}/environ").read_bytes()


async def test_children_die_with_their_parent_even_amid_a_picture(stuck: Path) -> None:
    script = """
import asyncio, sys
from pathlib import Path
from memi.media.processing_pool import ImagePool
async def main():
    pool = ImagePool()
    working = asyncio.create_task(pool.process(Path(sys.argv[1]), declared_type="image/jpeg"))
    while not pool.pids:
        await asyncio.sleep(0.01)
    print(pool.pids[0], flush=True)
    await working
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        str(stuck),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert is_running(pid)
    parent.kill()
    await parent.wait()
    await until_gone(pid)


async def test_closing_ends_the_children_and_refuses_more(photo: Path) -> None:
    pool = ImagePool()
    working = asyncio.create_task(pool.process(photo, declared_type="image/jpeg"))
    pid = await until_busy(pool)
    await pool.aclose()
    assert (await working).width == 900  # what was under way is finished first
    await until_gone(pid)
    with pytest.raises(RuntimeError):
        await pool.process(photo, declared_type="image/jpeg")


async def test_children_can_load_nothing_but_photos() -> None:
    script = """
import pyvips
from memi.media.images import allow_only_photo_loaders
allow_only_photo_loaders()
for load, data in ((pyvips.Image.svgload_buffer, b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
                   (pyvips.Image.gifload_buffer, b"GIF89a")):
    try:
        load(data)
    except pyvips.Error as error:
        assert "blocked" in str(error), error
    else:
        raise SystemExit("loaded")
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", script, env=environment)
    assert await child.wait() == 0
