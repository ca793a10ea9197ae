"""`memi up`: everything a local memi needs, in one command."""

import asyncio
import errno
import fcntl
import http.client
import os
import socket
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from memi import wiring
from memi.cli.configuration import settings_to_run
from memi.cli.database import DatabaseUrls, bring_up_to_date, configured_urls, embedded_server
from memi.cli.errors import CommandFailed
from memi.cli.serving import METRICS_DIR, bind, empty_metrics_dir
from memi.cli.supervisor import StopRequested, Supervisor, stop_on_signal
from memi.demo.logins import LOGINS, demo_password, ensure_logins
from memi.platform.mail_folder import mail_folder
from memi.platform.settings import Environment, Settings

_READY_SECONDS = 60.0
_QUIET = {"log_json": "false", "access_log": "none"}


def up(
    demo_data: Annotated[bool, typer.Option(help="Fill an empty local shop with demo listings.")] = True,
) -> None:
    """Run a whole memi: database, migrations, reference data, demo shop, API and worker. Ctrl-C stops it all."""
    settings = settings_to_run()
    try:
        with stop_on_signal(), _only_one(settings.data_dir), bind(settings.host, settings.port) as listener:
            _run(settings, listener, demo_data)
    except StopRequested:
        print("memi has stopped.", flush=True)


def _run(settings: Settings, listener: socket.socket, demo_data: bool) -> None:
    started = time.monotonic()
    _say(f"Starting memi with data in {settings.data_dir.absolute()}")
    with _database(settings) as (urls, keep_database):
        bring_up_to_date(urls)
        supervisor = Supervisor(_environment(settings, urls))
        try:
            api = supervisor.start(
                "API", "serve", "--listen-fd", str(listener.fileno()), descriptors=(listener.fileno(),)
            )
            supervisor.start("worker", "worker")
            local = settings.env is Environment.LOCAL
            password = _prepare_logins(settings, urls) if local else None
            _wait_until_ready(settings, api, supervisor)
            _say(_welcome(settings, password, time.monotonic() - started))
            if demo_data and local:
                supervisor.start("demo shop", "fill-demo-shop", permanent=False)
            supervisor.watch(keep_database)
        finally:
            _say("\nStopping …")
            supervisor.stop()


@contextmanager
def _only_one(data_dir: Path) -> Generator[None]:
    """Hold the data folder for this `memi up`; `CommandFailed` when another one has it."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data_dir / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CommandFailed(f"cannot use the data folder {data_dir.absolute()}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno != errno.EWOULDBLOCK:
                raise
            owner = os.read(descriptor, 20).decode().strip()
            raise CommandFailed(
                f"memi up runs already with the data folder {data_dir.absolute()} (process {owner}); "
                "set MEMI_DATA_DIR and MEMI_PORT to run another"
            ) from None
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _database(settings: Settings) -> Generator[tuple[DatabaseUrls, Callable[[], object]]]:
    """The database's URLs, and what to call now and then to keep it there: an embedded server that died comes back."""
    configured = configured_urls(settings)
    if configured is not None:
        yield configured, lambda: None
        return
    server = embedded_server(settings)
    with server as urls:
        yield DatabaseUrls(urls.app, urls.migrator), server.start


def _environment(settings: Settings, urls: DatabaseUrls) -> dict[str, str]:
    """What the children are configured by: ours, the database in it, and logs for people unless asked otherwise."""
    ours = {
        "MEMI_DATABASE_URL": urls.app,
        "MEMI_DATA_DIR": str(settings.data_dir.absolute()),
        METRICS_DIR: str(empty_metrics_dir(settings)),
        "PYTHONUNBUFFERED": "1",
    }
    if settings.env is Environment.LOCAL:
        # For a person at a terminal, unless asked otherwise.
        ours |= {
            f"MEMI_{name.upper()}": value for name, value in _QUIET.items() if name not in settings.model_fields_set
        }
    # The owner's role is for migrations only; the service never needs it.
    inherited = {name: value for name, value in os.environ.items() if name.upper() != "MEMI_MIGRATOR_DATABASE_URL"}
    return {**inherited, **ours}


def _prepare_logins(settings: Settings, urls: DatabaseUrls) -> str:
    password = demo_password(settings.data_dir)

    async def prepare() -> None:
        async with wiring.open_runtime(settings, urls.app) as runtime:
            await ensure_logins(runtime, password)

    asyncio.run(prepare())
    return password


def _wait_until_ready(settings: Settings, api: subprocess.Popen[bytes], supervisor: Supervisor) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not _answers(settings):
        if api.poll() is not None:
            raise CommandFailed(f"the API did not start (exit code {api.returncode}); its messages are above")
        if time.monotonic() > deadline:
            raise CommandFailed(f"the API was not ready within {_READY_SECONDS:.0f} s")
        supervisor.check()
        time.sleep(0.05)


def _answers(settings: Settings) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  # compared, not bound
    connection = http.client.HTTPConnection(host, settings.port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _welcome(settings: Settings, password: str | None, seconds: float) -> str:
    base = settings.base_url
    lines = [
        "",
        f"memi is running (ready after {seconds:.1f} s).",
        f"  API             {base}/api/v1",
        f"  Documentation   {base}/docs",
        f"  Health          {base}/health",
    ]
    if settings.smtp_url is None:
        lines.append(f"  Mail            {mail_folder(settings).absolute()}  (memi mails lists it)")
    if password is not None:
        lines += ["", f"  Demo logins, all with the password  {password}"]
        lines += [f"    {login.email}" for login in LOGINS]
    return "\n".join([*lines, "", "Ctrl-C stops it.", ""])


def _say(text: str) -> None:
    print(text, flush=True)
