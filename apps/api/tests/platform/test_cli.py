"""What the command line and the files around it promise. Starting and stopping a whole memi is in journeys."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from memi.demo.logins import demo_password, password_path
from memi.demo.shop import LISTINGS, plan
from memi.platform.embedded_postgres import EmbeddedUrls
from memi.platform.settings import Settings
from support.service import environment, free_port, memi

_KEY = re.compile(r"^#?(MEMI_[A-Z_]+)=(.*)$")


@pytest.fixture(scope="module")
def database(server: EmbeddedUrls, template: str) -> Iterator[dict[str, str]]:
    """The settings of a database of this module's own, for commands that are processes of their own."""
    name = f"test_{uuid4().hex[:12]}"

    async def run(statement: str) -> None:
        connection = await asyncpg.connect(server.migrator)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(run(f"CREATE DATABASE {name} TEMPLATE {template}"))
    urls = {"MEMI_DATABASE_URL": server.app, "MEMI_MIGRATOR_DATABASE_URL": server.migrator}
    yield {key: f"{url.rsplit('/', 1)[0]}/{name}" for key, url in urls.items()}
    asyncio.run(run(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def env(tmp_path: Path, database: dict[str, str]) -> dict[str, str]:
    return environment(tmp_path, free_port(), **database)


class TestConfiguration:
    def test_every_wrong_key_is_named_in_a_line_and_the_exit_code_is_2(self, tmp_path: Path) -> None:
        env = environment(tmp_path, 1, MEMI_PORTT="1", MEMI_WORKERS="many")
        for command in ("serve", "worker", "up", "migrate"):
            refused = memi(command, env=env, cwd=tmp_path)
            assert refused.returncode == 2
            lines = refused.stderr.splitlines()
            assert lines[0] == "memi: MEMI_PORTT: unknown setting"
            assert lines[1].startswith("memi: MEMI_WORKERS: ")
            assert len(lines) == 2

    def test_production_says_what_it_needs(self, tmp_path: Path) -> None:
        refused = memi("serve", env=environment(tmp_path, 1, MEMI_ENV="production"), cwd=tmp_path)
        assert refused.returncode == 2
        assert "MEMI_DATABASE_URL, MEMI_PUBLIC_URL, MEMI_WEB_URL" in refused.stderr

    @pytest.mark.parametrize("command", ["serve", "worker", "up"])
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("MEMI_KEY_RING", "{}"),
            ("MEMI_KEY_RING_FILE", "/nowhere/keys.json"),
            ("MEMI_SIGNING_KEYS", '{"a": "hunter2"}'),
            ("MEMI_GOOGLE_CLIENT_ID", "memi"),
            ("MEMI_OAUTH_REDIRECTS", "javascript:alert(1)"),
        ],
    )
    def test_keys_and_providers_that_cannot_work_are_one_line(
        self, tmp_path: Path, command: str, name: str, value: str
    ) -> None:
        refused = memi(command, env=environment(tmp_path, 1, **{name: value}), cwd=tmp_path)
        assert refused.returncode == 2
        assert refused.stderr.startswith("memi: ")
        assert refused.stderr.count("\n") == 1
        assert "hunter2" not in refused.stderr

    def test_an_unreachable_database_is_one_line(self, tmp_path: Path) -> None:
        url = f"postgresql://nobody:secret@127.0.0.1:{free_port()}/none"
        refused = memi("migrate", env=environment(tmp_path, 1, MEMI_DATABASE_URL=url), cwd=tmp_path)
        assert refused.returncode == 1
        assert refused.stderr.startswith("memi: the database cannot be used")
        assert refused.stderr.count("\n") == 1
        assert "secret" not in refused.stderr

    def test_the_example_names_every_key_with_its_default(self, repository: Path) -> None:
        lines = (repository / ".env.example").read_text().splitlines()
        documented = dict(match.groups() for line in lines if (match := _KEY.match(line)))
        assert set(documented) == {f"MEMI_{name.upper()}" for name in Settings.model_fields}
        active = {line.partition("=")[0]: line.partition("=")[2] for line in lines if line.startswith("MEMI_")}
        given = Settings(_env_file=None, **{key.removeprefix("MEMI_").lower(): value for key, value in active.items()})  # pyright: ignore[reportArgumentType]
        assert given == Settings(_env_file=None)


class TestCommands:
    def test_migrate_and_seed_change_nothing_the_second_time(self, env: dict[str, str], tmp_path: Path) -> None:
        for command in ("migrate", "seed", "migrate", "seed"):
            done = memi(command, env=env, cwd=tmp_path)
            assert done.returncode == 0, done.stderr

    def test_createadmin_makes_an_account_or_gives_the_role(self, env: dict[str, str], tmp_path: Path) -> None:
        arguments = ("createadmin", "boss@memi.example", "--password-stdin")
        made = memi(*arguments, "--role", "MODERATOR", env=env, cwd=tmp_path, text="a long password\n")
        assert (made.returncode, made.stdout) == (0, "boss@memi.example was made and is MODERATOR.\n"), made.stderr
        again = memi(*arguments, env=env, cwd=tmp_path)
        assert (again.returncode, again.stdout) == (0, "boss@memi.example exists already and is ADMIN.\n")

    @pytest.mark.parametrize(
        ("arguments", "password", "wrong"),
        [
            (("x@memi.example",), "short", "password"),
            (("no address",), "a long password", "email"),
            (("x@memi.example", "--role", "SELLER"), "a long password", "--role"),
        ],
    )
    def test_createadmin_refuses_in_a_line(
        self, env: dict[str, str], tmp_path: Path, arguments: tuple[str, ...], password: str, wrong: str
    ) -> None:
        refused = memi("createadmin", *arguments, "--password-stdin", env=env, cwd=tmp_path, text=f"{password}\n")
        assert refused.returncode == 2
        assert refused.stderr.startswith(f"memi: {wrong}")

    def test_openapi_writes_the_document(self, env: dict[str, str], tmp_path: Path) -> None:
        done = memi("openapi", "--out", "api.json", env=env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        document = json.loads((tmp_path / "api.json").read_text())
        assert document["openapi"].startswith("3.1")
        assert "/api/v1/auth/login" in document["paths"]

    def test_the_demo_needs_a_password(self, env: dict[str, str], tmp_path: Path) -> None:
        refused = memi("demo", env=env, cwd=tmp_path)
        assert refused.returncode == 2
        assert "demo-password" in refused.stderr


class TestDemo:
    def test_the_plan_is_always_the_same_and_no_seller_repeats_a_title(self) -> None:
        first = list(plan())
        assert first == list(plan())
        assert len(first) == LISTINGS >= 300
        assert len({seller for seller, _ in first}) >= 20
        assert len({(seller, item.title) for seller, item in first}) == len(first)

    def test_the_password_is_kept_for_its_owner_only(self, tmp_path: Path) -> None:
        password = demo_password(tmp_path)
        assert len(password) >= 12
        assert demo_password(tmp_path) == password
        assert password_path(tmp_path).stat().st_mode & 0o777 == 0o600


class TestLocks:
    @pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock", "requirements-uv.lock"])
    def test_locks_pin_by_hash_and_name_no_host(self, repository: Path, name: str) -> None:
        text = (repository / name).read_text()
        assert "://" not in text
        pinned = re.findall(r"^[a-z0-9][^\s=]*==\S+.*?(?=^[a-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
        assert pinned
        assert all("--hash=sha256:" in entry for entry in pinned)

    def test_node_packages_for_tests_are_pinned_by_hash_and_name_no_registry(self, repository: Path) -> None:
        folder = repository / "apps/api/tests/support/oidc_provider"
        locked = json.loads((folder / "package-lock.json").read_text())["packages"]
        wanted = json.loads((folder / "package.json").read_text())["dependencies"]
        pinned = {name: entry for name, entry in locked.items() if name}
        assert {name: pinned[f"node_modules/{name}"]["version"] for name in wanted} == wanted
        assert all(entry["integrity"].startswith("sha512-") for entry in pinned.values())
        assert not any("resolved" in entry for entry in pinned.values())

    def test_the_service_and_its_developers_use_the_same_versions(self, repository: Path) -> None:
        def pins(name: str) -> set[str]:
            return set(re.findall(r"^[a-z0-9][^\s;]*==[^\s;]+", (repository / name).read_text(), re.MULTILINE))

        assert pins("requirements.lock") <= pins("requirements-dev.lock")
