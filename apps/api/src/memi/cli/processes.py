"""`memi serve` and `memi worker`: the two kinds of process that make up a running service."""

import asyncio
import socket
from typing import Annotated

import typer
import uvloop

from memi.cli.configuration import settings_to_run
from memi.cli.database import open_database
from memi.cli.parentage import follow_parent
from memi.cli.serving import bind, run_server
from memi.platform.logging import configure_logging
from memi.worker import run_worker

_Parent = Annotated[int | None, typer.Option("--parent", hidden=True, help="End with this process.")]


def serve(
    listen_fd: Annotated[int | None, typer.Option(hidden=True, help="Serve on this inherited socket.")] = None,
    parent: _Parent = None,
) -> None:
    """Run the API on MEMI_HOST and MEMI_PORT with MEMI_WORKERS processes."""
    follow_parent(parent)
    settings = settings_to_run()
    configure_logging(settings)
    listener = socket.socket(fileno=listen_fd) if listen_fd is not None else bind(settings.host, settings.port)
    with listener, open_database(settings) as urls:
        run_server(settings, urls.app, listener)


def worker(parent: _Parent = None) -> None:
    """Run background jobs: pictures, notifications, expiries. Any number may run at once."""
    follow_parent(parent)
    settings = settings_to_run()
    configure_logging(settings)
    with open_database(settings) as urls, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_worker(settings, urls.app))
