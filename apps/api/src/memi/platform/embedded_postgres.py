"""memi's own PostgreSQL server, for when no database is configured: one folder, no installation, no root needed.

    with EmbeddedPostgres(Path(".memi/postgres")) as urls: ...

Whoever starts a data folder's server first owns it, shown by a lock on `owner.lock`; others attach and never stop it.
It ends with its owner, also with one that is killed; the next start then recovers. Files: `credentials.json` (0600),
`last_run.json`, `postgres.log`, and `cluster/` or, if the server's user cannot reach that, `location` naming its place.
"""

import fcntl
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from memi.platform.postgres_binaries import find_installation, installation_for, major_version
from memi.platform.postgres_files import (
    Credentials,
    EmbeddedPostgresError,
    Identity,
    choose_identity,
    ensure_home,
    find_home,
    prepare_data_dir,
    read_credentials,
    read_last_run,
    run_as,
    sync_folder,
    write_credentials,
    write_last_run,
    write_private,
)
from memi.platform.postgres_process import POLL_SECONDS, Postmaster, clear_remains, read_pid_file, running_postmaster
from memi.platform.postgres_roles import APP, DATABASE, MIGRATOR, SUPERUSER, accepts_app, provision

_HOST = "127.0.0.1"
_LOG_LIMIT_BYTES = 10 * 1024 * 1024
_STOP_SECONDS = 60.0

_DEFAULTS: Mapping[str, str] = {
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "max_connections": "200",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "logging_collector": "off",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
}
# What decides who can reach the server, and where: given to the constructor or fixed, so no override can contradict it.
_FIXED = frozenset(
    {"port", "listen_addresses", "data_directory", "config_file", "hba_file", "ident_file", "external_pid_file"}
)
# Causes of a failed start that pass by themselves: a port lost to someone in between, a predecessor not quite gone.
_PORT_LOST = "could not create any TCP/IP sockets"
_STILL_USED = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')


@dataclass(frozen=True)
class EmbeddedUrls:
    """Connection URLs `postgresql://user:password@127.0.0.1:port/memi`, one per role; the repr hides them."""

    app: str = field(repr=False)
    migrator: str = field(repr=False)
    superuser: str = field(repr=False)


class EmbeddedPostgres:
    """The PostgreSQL server of one data folder. Use one object from one thread at a time; any thread will do.

    `port`: where to listen; None takes the last one again if it is free, else any free one.
    `settings`: server settings that win over memi's, e.g. `{"fsync": "off"}` for tests. Ignored when attaching.
    """

    def __init__(self, data_dir: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        for name in settings or {}:
            if name.lower() in _FIXED or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name):
                raise ValueError(f"setting {name!r} cannot be given to an embedded PostgreSQL")
        self.data_dir = Path(os.path.abspath(data_dir))
        self._port = port
        self._settings = {**_DEFAULTS, **{name.lower(): value for name, value in (settings or {}).items()}}
        self._urls: EmbeddedUrls | None = None
        self._lock: int | None = None
        self._postmaster: Postmaster | None = None
        self._owner_pid = 0

    def __enter__(self) -> EmbeddedUrls:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def cluster_dir(self) -> Path:
        """PostgreSQL's own directory: `cluster` in the data folder, or elsewhere if its user cannot reach that."""
        return find_home(self.data_dir) / "cluster"

    @property
    def attached(self) -> bool:
        """Whether the server in use was started by someone else, so that `stop` leaves it running."""
        return self._urls is not None and self._postmaster is None

    def start(self, timeout: float = 60) -> EmbeddedUrls:
        """Make the server run, with its roles and database, within `timeout` seconds; attach if it already does.

        Raises EmbeddedPostgresError with the reason, which for a failed server is the end of its log.
        """
        if self._urls is not None and (self._postmaster is None or self._postmaster.alive):
            return self._urls
        self.stop()
        deadline = time.monotonic() + timeout
        try:
            prepare_data_dir(self.data_dir)
            while self._urls is None:
                if self._take_lock():
                    self._urls = self._start_as_owner(deadline)
                else:
                    self._urls = self._try_attach(deadline)
                if self._urls is None:
                    _check(deadline, f"the server of {self.data_dir}, started by another process, did not become ready")
                    time.sleep(POLL_SECONDS)
        except BaseException as error:
            self.stop()
            if isinstance(error, subprocess.TimeoutExpired):
                raise EmbeddedPostgresError(
                    f"the PostgreSQL server was not ready within {timeout} s: {error}"
                ) from error
            raise
        return self._urls

    def stop(self) -> None:
        """Shut down the server if this object started it, and wait until it has ended. Safe to repeat.

        In a forked child of the process that started it, this only lets go.
        """
        postmaster, self._postmaster, self._urls = self._postmaster, None, None
        try:
            if postmaster is not None and self._owner_pid == os.getpid():
                postmaster.stop(_STOP_SECONDS)
        finally:
            self._release_lock()

    def _release_lock(self) -> None:
        # Closing is enough, and in a forked child it does not unlock for the parent as LOCK_UN would.
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take_lock(self) -> bool:
        descriptor = os.open(self.data_dir / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._lock, self._owner_pid = descriptor, os.getpid()
        return True

    def _try_attach(self, deadline: float) -> EmbeddedUrls | None:
        credentials = read_credentials(self.data_dir)
        server = running_postmaster(self.cluster_dir)
        if credentials is None or server is None or server.port is None or not server.ready:
            return None
        patience = max(1.0, deadline - time.monotonic())
        if not accepts_app(find_installation(), server.port, credentials, timeout=patience):
            return None
        if self._port not in (None, server.port):
            raise EmbeddedPostgresError(f"the server of {self.data_dir} runs already, on port {server.port}")
        return _urls(server.port, credentials)

    def _start_as_owner(self, deadline: float) -> EmbeddedUrls | None:
        server = running_postmaster(self.cluster_dir)
        if server is not None and server.ready and server.pid != read_last_run(self.data_dir).get("postmaster"):
            # Somebody runs it by hand: use it, leave it to them.
            self._release_lock()
            return self._try_attach(deadline)
        cluster, identity, credentials = self._prepare_cluster(deadline)
        installation = installation_for(identity)
        _check_version(cluster, major_version(installation, identity))
        port = self._launch(installation, cluster, identity, deadline)
        provision(installation, port, credentials, timeout=max(1.0, deadline - time.monotonic()))
        return _urls(port, credentials)

    def _prepare_cluster(self, deadline: float) -> tuple[Path, Identity, Credentials]:
        identity = choose_identity(self.cluster_dir)
        home = ensure_home(self.data_dir, identity)
        cluster = home / "cluster"
        credentials = read_credentials(self.data_dir)
        if cluster.is_dir():
            if credentials is None:
                raise EmbeddedPostgresError(
                    f"{self.data_dir / 'credentials.json'} is missing; restore it from a backup"
                )
            clear_remains(cluster, deadline)
            return cluster, identity, credentials
        if credentials is None:
            credentials = Credentials.generate()
            write_credentials(self.data_dir, credentials)
        self._create_cluster(cluster, identity, credentials, deadline)
        return cluster, identity, credentials

    def _create_cluster(self, cluster: Path, identity: Identity, credentials: Credentials, deadline: float) -> None:
        # Made aside and renamed when whole, so that a killed initdb never passes for a database.
        scratch, password = cluster.with_name("cluster.new"), cluster.with_name("cluster.password")
        if scratch.exists():
            shutil.rmtree(scratch)
        scratch.mkdir(mode=0o700)
        try:
            write_private(password, credentials.superuser)
            if not identity.is_caller:
                os.chown(password, identity.uid, identity.gid)
                os.chown(scratch, identity.uid, identity.gid)
            command = [str(installation_for(identity) / "bin" / "initdb"), "-D", str(scratch), "-U", SUPERUSER]
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--encoding=UTF8"]
            command += ["--auth=scram-sha-256", f"--pwfile={password}"]
            if self._settings["fsync"] == "off":
                command.append("--no-sync")
            result = run_as(identity, command, timeout=max(1.0, deadline - time.monotonic()))
        finally:
            password.unlink(missing_ok=True)
        if result.returncode != 0:
            raise EmbeddedPostgresError(f"initdb failed in {scratch}: {result.stderr.strip()}")
        scratch.rename(cluster)
        sync_folder(cluster.parent)

    def _launch(self, installation: Path, cluster: Path, identity: Identity, deadline: float) -> int:
        log = self.data_dir / "postgres.log"
        if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
            os.truncate(log, 0)
        while True:
            port = self._choose_port()
            options = {**self._settings, "listen_addresses": _HOST, "port": str(port)}
            command = [str(installation / "bin" / "postgres"), "-D", str(cluster)]
            for name, value in options.items():
                command += ["-c", f"{name}={value}"]
            self._postmaster = Postmaster(command, identity, log)
            write_last_run(self.data_dir, {"port": port, "postmaster": self._postmaster.pid})
            if self._wait_ready(self._postmaster, cluster, deadline):
                return port
            output = self._postmaster.output()
            lost_port = _PORT_LOST in output and self._port is None
            if not lost_port and not any(cause in output for cause in _STILL_USED):
                raise EmbeddedPostgresError(f"the PostgreSQL server did not start:\n{output}")
            _check(deadline, f"the PostgreSQL server did not start:\n{output}")
            clear_remains(cluster, deadline)

    def _wait_ready(self, postmaster: Postmaster, cluster: Path, deadline: float) -> bool:
        while postmaster.alive:
            status = read_pid_file(cluster)
            if status is not None and status.pid == postmaster.pid and status.ready:
                return True
            _check(deadline, f"the PostgreSQL server was not ready in time; see {self.data_dir / 'postgres.log'}")
            time.sleep(POLL_SECONDS)
        return False

    def _choose_port(self) -> int:
        if self._port is not None:
            if not _is_free(self._port):
                raise EmbeddedPostgresError(f"port {self._port} on {_HOST} is in use")
            return self._port
        last = read_last_run(self.data_dir).get("port")
        if last is not None and _is_free(last):
            return last
        with socket.socket() as probe:
            probe.bind((_HOST, 0))
            return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As PostgreSQL does: connections of its predecessor in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
        return True


def _urls(port: int, credentials: Credentials) -> EmbeddedUrls:
    def url(role: str, password: str) -> str:
        return f"postgresql://{role}:{password}@{_HOST}:{port}/{DATABASE}"

    return EmbeddedUrls(
        url(APP, credentials.app), url(MIGRATOR, credentials.migrator), url(SUPERUSER, credentials.superuser)
    )


def _check_version(cluster: Path, programs: str) -> None:
    data = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    if data != programs:
        raise EmbeddedPostgresError(
            f"{cluster} was made by PostgreSQL {data}, the installed one is {programs}; restore a backup"
        )


def _check(deadline: float, message: str) -> None:
    if time.monotonic() > deadline:
        raise EmbeddedPostgresError(message)
