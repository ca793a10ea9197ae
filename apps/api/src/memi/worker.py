"""The worker process: runs every durable event handler and job until told to stop."""

import asyncio
import signal

import structlog

from memi import parts, wiring
from memi.platform.job_runner import JobRunner
from memi.platform.settings import Settings

log = structlog.get_logger(__name__)
STOP_SECONDS = 10.0


async def run_worker(settings: Settings, database_url: str) -> None:
    """Serve jobs until SIGTERM or SIGINT, then take nothing new and give running jobs `STOP_SECONDS` to finish.

    A job cut off after that is picked up again by the next worker.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with wiring.open_runtime(settings, database_url) as runtime:
        runner = JobRunner(runtime, parts.JOBS)
        serving = asyncio.create_task(runner.run(), name="jobs")
        stopped = asyncio.create_task(stopping.wait(), name="stop signal")
        log.info("worker_started")
        await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        runner.stop()
        _, unfinished = await asyncio.wait((serving,), timeout=STOP_SECONDS)
        if unfinished:
            log.warning("worker_cut_off", seconds=STOP_SECONDS)
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
        else:
            await serving
        log.info("worker_stopped")
