"""Which plug-ins are found, and what happens when that cannot be told."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from memi.intelligence.plugins import choose, find
from memi.intelligence.ports import DEFAULTS, PORTS, PRICE_ADVISER
from memi.intelligence.service import Intelligence
from memi.platform.settings import ConfigurationError, Settings
from support.plugins import Package
from support.service import environment, memi

ADVISER = """
    from memi.intelligence.ports import PriceAdvice

    class Adviser:
        def advise(self, question):
            return PriceAdvice(low=1, typical=2, high=3)
"""
FIRST = Package("first-package", ADVISER, {"price_adviser": "Adviser"}, "1.2.3")
SECOND = Package("second-package", ADVISER, {"price_adviser": "Adviser"})
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """Put packages where this process finds them, until the end of the test."""
    sys.path.insert(0, str(tmp_path))
    names: list[str] = []

    def put(*packages: Package) -> None:
        for package in packages:
            package.install(tmp_path)
            names.append(package.module)
        importlib.invalidate_caches()

    yield put
    sys.path.remove(str(tmp_path))
    for name in names:
        sys.modules.pop(name, None)


def settings(*plugins: str) -> Settings:
    return Settings(_env_file=None, intelligence_plugins=plugins)  # pyright: ignore[reportCallIssue]


async def test_nothing_is_installed_here() -> None:
    intelligence = Intelligence(find(settings()))
    assert not intelligence.has(*PORTS.values())
    assert (await intelligence.check()).status == "off"


def test_every_port_has_a_default_that_says_nothing() -> None:
    for port in PORTS.values():
        for default in DEFAULTS:
            assert getattr(default, port.method)(None) is None


async def test_one_package_is_taken(install: Install) -> None:
    install(FIRST)
    intelligence = Intelligence(find(settings()))
    assert [name for name, port in PORTS.items() if intelligence.has(port)] == ["price_adviser"]
    health = await intelligence.check()
    assert (health.status, health.detail) == ("up", "price_adviser: first-package 1.2.3")


def test_of_several_one_must_be_chosen(install: Install) -> None:
    install(FIRST, SECOND)
    with pytest.raises(ConfigurationError, match="first-package, second-package"):
        find(settings())
    chosen = find(settings("price_adviser=second_package"))
    assert [(name, seat.name) for name, seat in chosen.seats.items()] == [("price_adviser", "second-package")]


def test_a_port_can_be_left_empty(install: Install) -> None:
    install(FIRST, SECOND)
    assert find(settings("price_adviser=none")).seats == {}


@pytest.mark.parametrize(
    "wrong", ["price_adviser", "price_adviser=", "prices=first-package", "price_adviser=absent-package"]
)
def test_a_choice_that_cannot_be_made_stops_the_start(install: Install, wrong: str) -> None:
    install(FIRST)
    with pytest.raises(ConfigurationError, match="MEMI_INTELLIGENCE_PLUGINS"):
        choose(settings(wrong))


def test_a_port_is_chosen_once(install: Install) -> None:
    install(FIRST, SECOND)
    with pytest.raises(ConfigurationError, match="at most once"):
        choose(settings("price_adviser=first-package", "price_adviser=second-package"))


def test_a_command_says_so_in_one_line(tmp_path: Path) -> None:
    env = environment(tmp_path, 1, MEMI_INTELLIGENCE_PLUGINS="price_adviser=absent-package")
    ended = memi("serve", env=env, cwd=tmp_path)
    assert ended.returncode != 0
    assert "no package 'absent-package' is installed for price_adviser" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("raise RuntimeError('personal')", "Adviser"),
        ("import no_such_module", "Adviser"),
        ("raise SystemExit('no model here')", "Adviser"),
        ("", "Adviser"),
        ("class Adviser:\n    def __init__(self): raise ValueError", "Adviser"),
        ("class Adviser: pass", "Adviser"),
        ("Adviser = 5", "Adviser"),
    ],
    ids=["raises", "needs another", "gives up", "is empty", "cannot be made", "has no method", "is no class"],
)
async def test_what_cannot_be_loaded_is_as_good_as_absent(install: Install, code: str, place: str) -> None:
    install(Package("broken-package", code, {"price_adviser": place}))
    with structlog.testing.capture_logs() as logs:
        intelligence = Intelligence(find(settings()))
    assert [item["event"] for item in logs] == ["intelligence_not_loaded"]
    assert not intelligence.has(PRICE_ADVISER)
    health = await intelligence.check()
    assert health.status == "degraded"
    assert "price_adviser: broken-package 1.0" in (health.detail or "")
    assert "(not loaded)" in (health.detail or "")


def test_an_entry_point_of_no_port_is_told_of_and_ignored(install: Install) -> None:
    install(Package("odd-package", ADVISER, {"weather": "Adviser"}))
    with structlog.testing.capture_logs() as logs:
        assert choose(settings()) == {}
    assert (logs[0]["event"], logs[0]["port"]) == ("intelligence_unknown_port", "weather")
