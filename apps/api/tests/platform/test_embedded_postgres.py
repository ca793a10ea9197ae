"""The embedded PostgreSQL server: one folder, found again, recovered after a kill, stopped by its owner only."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from memi.platform.embedded_postgres import EmbeddedPostgres, EmbeddedUrls
from memi.platform.postgres_binaries import installation_for
from memi.platform.postgres_files import EmbeddedPostgresError, choose_identity, run_as
from memi.platform.postgres_process import cluster_processes, read_pid_file
from support.postgres import kill_postmaster, wait_until_gone

pytestmark = pytest.mark.anyio

FAST = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "20"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short-lived folder; open to be passed through, as root's server user must."""
    path = Path(tempfile.mkdtemp(prefix="memi-pg-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(folder / "data", settings=FAST)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def urls() -> Iterator[EmbeddedUrls]:
    """A server that the tests of its inside share."""
    path = Path(tempfile.mkdtemp(prefix="memi-pg-"))
    path.chmod(0o711)
    with EmbeddedPostgres(path / "data", settings=FAST) as urls:
        yield urls
    shutil.rmtree(path)


def launcher_in_other_process(data_dir: Path, *, then: str) -> subprocess.Popen[str]:
    """Another memi process that starts the same data folder's server and prints its URL."""
    script = (
        "import sys, time; from pathlib import Path\n"
        "from memi.platform.embedded_postgres import EmbeddedPostgres\n"
        f"server = EmbeddedPostgres(Path({str(data_dir)!r}), settings={FAST!r})\n"
        f"print(server.start().app, flush=True)\n{then}\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


async def value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


class TestFirstStart:
    async def test_gives_three_roles_of_decreasing_power(self, urls: EmbeddedUrls) -> None:
        power = "SELECT array[rolsuper, rolcreatedb, rolcreaterole] FROM pg_roles WHERE rolname = current_user"
        assert await value(urls.superuser, power) == [True, True, True]
        assert await value(urls.migrator, power) == [False, True, False]
        assert await value(urls.app, power) == [False, False, False]
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        assert await value(urls.app, owner) == "memi_migrator"

    async def test_the_app_role_cannot_create_tables_or_read_the_migrators(self, urls: EmbeddedUrls) -> None:
        await run(urls.migrator, "CREATE TABLE secret (id int)")
        for refused in ("CREATE TABLE mine (id int)", "SELECT * FROM secret", "CREATE DATABASE other"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await run(urls.app, refused)

    async def test_the_migrator_can_create_the_extensions_and_clone_a_template(self, urls: EmbeddedUrls) -> None:
        extensions = ("pg_trgm", "unaccent", "citext", "btree_gist")
        await run(urls.migrator, *(f"CREATE EXTENSION {name}" for name in extensions))
        postgres = urls.migrator.removesuffix("memi") + "postgres"
        await run(postgres, "CREATE DATABASE clone TEMPLATE memi")
        clone = urls.app.removesuffix("memi") + "clone"
        count = f"SELECT count(*) FROM pg_extension WHERE extname = ANY('{{{','.join(extensions)}}}')"
        assert await value(clone, count) == len(extensions)

    async def test_is_utf8_utc_durable_and_listens_only_on_loopback(self, folder: Path) -> None:
        with EmbeddedPostgres(folder / "data") as urls:
            expected = {
                "server_encoding": "UTF8",
                "timezone": "UTC",
                "listen_addresses": "127.0.0.1",
                "unix_socket_directories": "",
                "fsync": "on",
                "full_page_writes": "on",
                "synchronous_commit": "on",
                "jit": "off",
                "data_checksums": "on",
                "max_connections": "200",
            }
            got = {name: await value(urls.superuser, f"SELECT current_setting('{name}')") for name in expected}
            assert got == expected
            locale = "SELECT datlocprovider::text || ' ' || datlocale FROM pg_database WHERE datname = 'memi'"
            assert await value(urls.app, locale) == "b C.UTF-8"

    async def test_refuses_a_wrong_password(self, urls: EmbeddedUrls) -> None:
        password = urls.app.split(":")[2].split("@")[0]
        with pytest.raises(asyncpg.InvalidPasswordError):
            await run(urls.app.replace(password, "wrong"), "SELECT 1")

    def test_shows_no_password_in_repr_log_or_command_line(self, server: EmbeddedPostgres) -> None:
        urls = server.start()
        passwords = [url.split(":")[2].split("@")[0] for url in (urls.app, urls.migrator, urls.superuser)]
        shown = repr(urls) + (server.data_dir / "postgres.log").read_text()
        for pid in cluster_processes(server.cluster_dir):
            shown += Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        assert len(set(passwords)) == 3
        assert not [password for password in passwords if password in shown]

    def test_leaves_permissions_of_existing_folders_alone_and_its_own_files_private(self, folder: Path) -> None:
        inner = folder / "project"
        inner.mkdir(mode=0o755)
        before = [(path, path.stat().st_mode, path.stat().st_uid) for path in (inner, *inner.parents)]
        server = EmbeddedPostgres(inner / "data", settings=FAST)
        with server:
            assert [(path, path.stat().st_mode, path.stat().st_uid) for path in (inner, *inner.parents)] == before
            for name in ("credentials.json", "last_run.json", "postgres.log", "owner.lock"):
                info = (inner / "data" / name).stat()
                assert (stat.S_IMODE(info.st_mode), info.st_uid) == (0o600, os.geteuid()), name
            cluster = server.cluster_dir.stat()
            assert stat.S_IMODE(cluster.st_mode) == 0o700
            assert cluster.st_uid != 0
        assert not (inner / "data" / "cluster.password").exists()

    def test_starts_over_when_initdb_was_killed_half_way(self, server: EmbeddedPostgres) -> None:
        half = server.data_dir / "cluster.new"
        half.mkdir(parents=True)
        server.data_dir.chmod(0o711)
        (half / "PG_VERSION").write_text("18\n")
        server.start()
        assert not half.exists()

    @pytest.mark.parametrize("name", ["port", "listen_addresses", "Data_Directory", "a b", "x;y"])
    def test_refuses_settings_that_decide_who_reaches_it(self, folder: Path, name: str) -> None:
        with pytest.raises(ValueError, match="cannot be given"):
            EmbeddedPostgres(folder, settings={name: "1"})

    def test_a_setting_the_server_rejects_is_reported_with_its_reason(self, folder: Path) -> None:
        server = EmbeddedPostgres(folder / "data", settings={**FAST, "shared_buffers": "nonsense"})
        with pytest.raises(EmbeddedPostgresError, match="shared_buffers"):
            server.start()
        assert cluster_processes(server.cluster_dir) == []

    async def test_a_data_folder_closed_to_others_keeps_its_permissions_and_its_data(self, folder: Path) -> None:
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        server = EmbeddedPostgres(closed / "data", settings=FAST)
        try:
            with server as urls:
                await run(urls.migrator, "CREATE TABLE kept AS SELECT 7 AS answer")
            assert stat.S_IMODE(closed.stat().st_mode) == 0o700
            with EmbeddedPostgres(closed / "data", settings=FAST) as again:
                assert await value(again.migrator, "SELECT answer FROM kept") == 7
            # Root's server user cannot reach it there, so it is elsewhere; anyone else's is where it was put.
            assert (server.cluster_dir == closed / "data" / "cluster") == (os.geteuid() != 0)
            if os.geteuid() == 0:
                shutil.rmtree(server.cluster_dir.parent)
                with pytest.raises(EmbeddedPostgresError, match="is gone"):
                    server.start()
        finally:
            pointer = closed / "data" / "location"
            if pointer.exists():
                shutil.rmtree(pointer.read_text().strip(), ignore_errors=True)


class TestNextStart:
    async def test_finds_data_port_and_passwords_again_quickly(self, server: EmbeddedPostgres) -> None:
        first = server.start()
        await run(first.migrator, "CREATE TABLE kept AS SELECT 42 AS answer")
        server.stop()
        began = time.monotonic()
        assert server.start() == first
        assert time.monotonic() - began < 1.5
        assert await value(first.migrator, "SELECT answer FROM kept") == 42

    def test_takes_another_port_when_the_last_one_is_taken(self, server: EmbeddedPostgres, folder: Path) -> None:
        first = server.start()
        server.stop()
        taken = int(first.app.rsplit(":", 1)[1].split("/")[0])
        with EmbeddedPostgres(folder / "squatter", port=taken, settings=FAST):
            assert f":{taken}/" not in server.start().app
            with pytest.raises(EmbeddedPostgresError, match="in use"):
                EmbeddedPostgres(folder / "third", port=taken, settings=FAST).start()

    def test_start_and_stop_may_be_repeated(self, server: EmbeddedPostgres) -> None:
        server.stop()
        assert server.start() == server.start()
        server.stop()
        server.stop()
        assert cluster_processes(server.cluster_dir) == []

    def test_bounds_its_log(self, server: EmbeddedPostgres) -> None:
        server.start()
        server.stop()
        log = server.data_dir / "postgres.log"
        log.write_bytes(b"x" * (11 * 1024 * 1024))
        server.start()
        assert log.stat().st_size < 1024 * 1024

    def test_refuses_a_cluster_whose_passwords_are_lost_or_of_another_version(self, server: EmbeddedPostgres) -> None:
        server.start()
        server.stop()
        (server.cluster_dir / "PG_VERSION").write_text("12\n")
        with pytest.raises(EmbeddedPostgresError, match="PostgreSQL 12"):
            server.start()
        (server.data_dir / "credentials.json").unlink()
        with pytest.raises(EmbeddedPostgresError, match="missing"):
            server.start()


class TestRecovery:
    async def test_after_kill_9_every_acknowledged_write_is_there(self, folder: Path) -> None:
        server = EmbeddedPostgres(folder / "data")
        urls = server.start()
        await run(urls.migrator, "CREATE TABLE written (id int)", "INSERT INTO written VALUES (1)")
        kill_postmaster(server)
        server.stop()
        with EmbeddedPostgres(folder / "data") as again:
            assert await value(again.migrator, "SELECT count(*) FROM written") == 1

    async def test_the_same_object_restarts_a_server_that_died(self, server: EmbeddedPostgres) -> None:
        urls = server.start()
        kill_postmaster(server)
        time.sleep(0.2)
        assert await value(server.start().app, "SELECT 1") == 1
        assert server.start() == urls

    def test_a_pid_file_naming_another_living_process_does_not_matter(self, server: EmbeddedPostgres) -> None:
        server.start()
        lines = (server.cluster_dir / "postmaster.pid").read_text().splitlines()
        owner = server.cluster_dir.stat()
        server.stop()
        stranger = subprocess.Popen(["sleep", "60"], user=owner.st_uid if os.geteuid() == 0 else None, cwd="/")
        try:
            (server.cluster_dir / "postmaster.pid").write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
            server.start()
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()

    async def test_children_left_by_a_killed_postmaster_are_ended_first(self, server: EmbeddedPostgres) -> None:
        urls = server.start()
        connection = await asyncpg.connect(urls.superuser)
        child = await connection.fetchval("SELECT pg_backend_pid()")
        os.kill(child, signal.SIGSTOP)  # It cannot notice that its parent is gone.
        kill_postmaster(server)
        server.stop()
        assert child in cluster_processes(server.cluster_dir)
        began = time.monotonic()
        server.start()
        assert child not in cluster_processes(server.cluster_dir)
        assert time.monotonic() - began < 10
        connection.terminate()

    def test_the_server_ends_with_a_killed_launcher_and_starts_again(self, server: EmbeddedPostgres) -> None:
        with launcher_in_other_process(server.data_dir, then="time.sleep(60)") as launcher:
            url = first_line(launcher)
            launcher.kill()
        assert server.start().app == url
        assert not server.attached

    def test_the_server_does_not_linger_after_a_launcher_that_forgot_to_stop_it(self, server: EmbeddedPostgres) -> None:
        with launcher_in_other_process(server.data_dir, then="") as launcher:
            assert first_line(launcher).startswith("postgresql://")
        wait_until_gone(server.cluster_dir)

    async def test_the_server_outlives_the_thread_that_called_start(self, server: EmbeddedPostgres) -> None:
        found: list[EmbeddedUrls] = []
        thread = threading.Thread(target=lambda: found.append(server.start()))
        thread.start()
        thread.join()
        time.sleep(0.3)
        assert await value(found[0].app, "SELECT 1") == 1

    def test_an_interrupt_from_the_terminal_does_not_reach_the_server(self, server: EmbeddedPostgres) -> None:
        server.start()
        status = read_pid_file(server.cluster_dir)
        assert status is not None
        assert os.getpgid(status.pid) != os.getpgid(0)
        assert os.getsid(status.pid) != os.getsid(0)


class TestSharing:
    async def test_a_second_start_attaches_and_its_stop_leaves_the_server(self, server: EmbeddedPostgres) -> None:
        urls = server.start()
        second = EmbeddedPostgres(server.data_dir)
        assert second.start() == urls
        assert (server.attached, second.attached) == (False, True)
        second.stop()
        assert await value(urls.app, "SELECT 1") == 1

    async def test_attaches_to_the_server_of_another_process(self, server: EmbeddedPostgres) -> None:
        with launcher_in_other_process(server.data_dir, then="time.sleep(60)") as launcher:
            try:
                url = first_line(launcher)
                assert server.start().app == url
                server.stop()
                assert await value(url, "SELECT 1") == 1
            finally:
                launcher.kill()
        wait_until_gone(server.cluster_dir)

    async def test_a_server_run_by_hand_is_used_and_left_running(self, server: EmbeddedPostgres) -> None:
        port = server.start().app.rsplit(":", 1)[1].split("/")[0]
        server.stop()
        cluster = server.cluster_dir
        identity = choose_identity(cluster)
        pg_ctl = [str(installation_for(identity) / "bin" / "pg_ctl"), "-D", str(cluster)]
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        by_hand = [*pg_ctl, "-l", str(cluster / "by_hand.log"), "-o", options, "start"]
        assert run_as(identity, by_hand, timeout=30).returncode == 0
        try:
            urls = server.start()
            assert server.attached
            server.stop()
            assert await value(urls.app, "SELECT 1") == 1
        finally:
            assert run_as(identity, [*pg_ctl, "-m", "fast", "stop"], timeout=30).returncode == 0

    def test_of_several_at_once_one_starts_and_the_others_attach(self, server: EmbeddedPostgres) -> None:
        servers = [EmbeddedPostgres(server.data_dir, settings=FAST) for _ in range(4)]
        threads = [threading.Thread(target=each.start) for each in servers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        try:
            assert sorted(each.attached for each in servers) == [False, True, True, True]
            assert len({each.start().app for each in servers}) == 1
        finally:
            for each in servers:
                each.stop()

    async def test_two_data_folders_run_side_by_side(self, folder: Path) -> None:
        with (
            EmbeddedPostgres(folder / "one", settings=FAST) as one,
            EmbeddedPostgres(folder / "two", settings=FAST) as two,
        ):
            await run(one.migrator, "CREATE TABLE only_in_one ()")
            assert await value(two.migrator, "SELECT to_regclass('only_in_one')") is None

    async def test_a_forked_child_does_not_stop_its_parents_server(self, server: EmbeddedPostgres) -> None:
        urls = server.start()
        child = os.fork()
        if child == 0:
            server.stop()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert await value(urls.app, "SELECT 1") == 1
        second = EmbeddedPostgres(server.data_dir)
        second.start()
        assert second.attached
