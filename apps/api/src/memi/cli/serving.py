"""The API under uvicorn: what each server process runs, and with which limits."""

import multiprocessing
import os
import shutil
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from litestar.types import ASGIApp
from prometheus_client import multiprocess
from uvicorn.supervisors import Multiprocess

from memi import wiring
from memi.app import create_app
from memi.cli.errors import CommandFailed
from memi.cli.http_protocol import BoundedHttp
from memi.cli.parentage import follow_parent
from memi.platform.logging import configure_logging
from memi.platform.runtime import Runtime
from memi.platform.settings import ConfigurationError, Settings, load_settings

METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"
_DATABASE = "MEMI_DATABASE_URL"
_STOP_SECONDS = 10
_KEEP_ALIVE_SECONDS = 75  # longer than the idle time of usual load balancers, so that they close first
_SOCKET_FRAME_BYTES = 65_536


def create() -> ASGIApp:
    """The application of one server process, configured by its environment."""
    parent = multiprocessing.parent_process()
    follow_parent(parent.pid if parent is not None else None)
    settings = load_settings()
    configure_logging(settings)
    BoundedHttp.bound(settings)
    if settings.database_url is None:
        raise ConfigurationError(f"{_DATABASE}: a server process needs one")
    url = settings.database_url.get_secret_value()
    _forget_dead_processes()

    @asynccontextmanager
    async def open_runtime() -> AsyncGenerator[Runtime]:
        async with wiring.open_runtime(settings, url) as runtime:
            yield runtime

    return create_app(settings, open_runtime)


def run_server(settings: Settings, database_url: str, listener: socket.socket) -> None:
    """Serve on `listener` until SIGTERM or SIGINT; with several workers uvicorn replaces those that die.

    Raises `CommandFailed` when the application did not start.
    """
    # The environment, never the command line, which every user of the machine can read.
    os.environ[_DATABASE] = database_url
    if settings.workers > 1 and METRICS_DIR not in os.environ:
        os.environ[METRICS_DIR] = str(empty_metrics_dir(settings))
    config = uvicorn.Config(
        "memi.cli.serving:create",
        factory=True,
        workers=settings.workers,
        loop="uvloop",
        http=BoundedHttp,
        ws="websockets-sansio",
        ws_max_size=_SOCKET_FRAME_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=settings.socket_ping_seconds,
        ws_ping_timeout=max(1.0, settings.socket_dead_seconds - settings.socket_ping_seconds),
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_STOP_SECONDS,
        timeout_worker_healthcheck=30,
    )
    if settings.workers > 1:
        Multiprocess(config, [listener]).run()
        return
    server = uvicorn.Server(config)
    server.run([listener])
    if not server.started:
        raise CommandFailed("the API did not start")


def bind(host: str, port: int) -> socket.socket:
    """A socket bound but not yet listening, so that callers are refused until the API is ready.

    Raises `CommandFailed` when the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if probe.connect_ex(address) == 0:
                raise CommandFailed(f"port {port} on {host} is in use; set MEMI_PORT to another")
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise CommandFailed(f"cannot use port {port} on {host}: {error.strerror}; set MEMI_PORT to another") from None
    listener.set_inheritable(True)
    return listener


def empty_metrics_dir(settings: Settings) -> Path:
    """The folder through which processes share their metrics, without what earlier ones left."""
    folder = settings.data_dir.absolute() / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _forget_dead_processes() -> None:
    """Drop the gauges of server processes that are gone: their sockets and connections count no more."""
    folder = os.environ.get(METRICS_DIR)
    if folder is None:
        return
    for path in Path(folder).glob("gauge_live*_*.db"):
        pid = path.stem.rsplit("_", 1)[-1]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            multiprocess.mark_process_dead(int(pid), folder)  # pyright: ignore[reportUnknownMemberType]
