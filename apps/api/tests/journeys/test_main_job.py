"""A whole memi is started, used as people use it, stopped and started again."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.service import Service, free_port, memi


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    folder = Path(tempfile.mkdtemp(prefix="memi-journey-"))
    folder.chmod(0o711)  # as root the database runs as another user, who must be able to pass through
    started = Service(folder / "data", free_port(), folder / "log")
    with started:
        yield started
    shutil.rmtree(folder)


def test_the_demo_plays_the_main_job(service: Service) -> None:
    played = memi("demo", env=service.env, cwd=service.log.parent)
    assert played.returncode == 0, played.stdout + played.stderr
    assert played.stdout.count("✓") == 9


def test_the_demo_names_the_step_that_failed(service: Service) -> None:
    played = memi("demo", "--password", "not that one", env=service.env, cwd=service.log.parent)
    assert played.returncode == 1
    assert "A seller, two buyers and a moderator sign in" in played.stderr


def test_the_tour_of_the_readme_works_as_printed(service: Service, repository: Path) -> None:
    readme = (repository / "README.md").read_text()
    tour = readme.split("## A 60-second tour", 1)[1].split("```sh\n", 1)[1].split("```", 1)[0]
    script = "set -eu\n" + tour.replace("http://127.0.0.1:8000", service.url)
    folder = service.log.parent
    played = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert played.returncode == 0, played.stdout + played.stderr
    assert '"code":' not in played.stdout
    assert "Velvet jacket" in played.stdout.splitlines()[-1]


def test_a_second_start_on_the_same_data_is_refused(service: Service) -> None:
    env = {**service.env, "MEMI_PORT": str(free_port())}
    refused = memi("up", env=env, cwd=service.log.parent)
    assert refused.returncode == 1
    assert "runs already with the data folder" in refused.stderr


def test_a_taken_port_is_refused_in_one_line(service: Service, tmp_path: Path) -> None:
    env = {**service.env, "MEMI_DATA_DIR": str(tmp_path)}
    refused = memi("up", env=env, cwd=tmp_path)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert f"port {service.port} on 127.0.0.1 is in use" in refused.stderr


def test_staff_is_appointed_beside_a_running_service(service: Service) -> None:
    folder = service.log.parent
    made = memi(
        "createadmin", "Boss@memi.example", "--password-stdin", env=service.env, cwd=folder, text="a long one!\n"
    )
    assert made.returncode == 0, made.stderr
    account = {"email": "boss@memi.example", "password": "a long one!"}
    reply = httpx.post(f"{service.url}/api/v1/auth/login", json=account)
    assert reply.json()["user"]["roles"] == ["ADMIN", "USER"]


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGINT,), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM,), (signal.SIGHUP,)],
    ids=["ctrl-c", "ctrl-c twice", "terminate", "terminal closed"],
)
def test_it_stops_whole_and_finds_its_data_again(service: Service, signals: tuple[signal.Signals, ...]) -> None:
    account = {"email": "boss@memi.example", "password": "a long one!"}
    assert len(service.processes()) > 3
    assert service.stop(*signals) == 0, service.log.read_text()
    assert service.processes() == set()
    started = time.monotonic()
    service.__enter__()
    assert time.monotonic() - started < 30
    assert httpx.post(f"{service.url}/api/v1/auth/login", json=account).status_code == 200


def test_nothing_outlives_a_killed_one(service: Service) -> None:
    assert service.process is not None
    service.process.kill()
    service.process.wait()
    deadline = time.monotonic() + 30
    while service.processes() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert service.processes() == set()
    service.__enter__()
