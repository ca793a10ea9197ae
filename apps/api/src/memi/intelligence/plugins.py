"""Finding plug-ins: entry points of the group `memi.intelligence`, named after the port."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import structlog

from memi.intelligence.calling import Limits, Seat
from memi.intelligence.ports import PORTS
from memi.platform.settings import ConfigurationError, Settings

log = structlog.get_logger(__name__)
GROUP = "memi.intelligence"
NONE = "none"


@dataclass(frozen=True)
class Installed:
    """What was found: a seat by port, and what is installed but cannot be used, with the kind of error."""

    seats: dict[str, Seat[Any, Any]] = field(default_factory=dict[str, Seat[Any, Any]])
    broken: dict[str, str] = field(default_factory=dict[str, str])


def choose(settings: Settings) -> dict[str, EntryPoint]:
    """The plug-in of each port, not yet loaded.

    Raises `ConfigurationError` when it cannot be told which of several is meant, or what is configured is not there.
    """
    chosen = _chosen(settings.intelligence_plugins)
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, []).append(point)
    for name in found.keys() - PORTS.keys():
        log.warning("intelligence_unknown_port", port=name, plugins=[_name(point) for point in found[name]])
    picked = {port: _pick(port, found.get(port, []), chosen.get(port)) for port in PORTS}
    return {port: point for port, point in picked.items() if point is not None}


def find(settings: Settings) -> Installed:
    """Load the plug-in of each port; one that cannot be loaded is as good as absent. Raises `ConfigurationError`."""
    limits = Limits(
        settings.intelligence_seconds,
        settings.intelligence_threads,
        settings.intelligence_breaker_failures,
        settings.intelligence_breaker_seconds,
    )
    installed = Installed()
    for point in choose(settings).values():
        _seat(installed, point, limits)
    return installed


def _chosen(configured: Sequence[str]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for item in configured:
        port, _, plugin = item.partition("=")
        if port not in PORTS or not plugin or port in chosen:
            raise ConfigurationError(
                f"MEMI_INTELLIGENCE_PLUGINS: {item!r} must be port=package, each of {', '.join(PORTS)} at most once"
            )
        chosen[port] = plugin
    return chosen


def _pick(port: str, points: list[EntryPoint], wanted: str | None) -> EntryPoint | None:
    if wanted == NONE:
        return None
    fitting = points if wanted is None else [point for point in points if _same(_name(point), wanted)]
    if wanted is not None and not fitting:
        raise ConfigurationError(f"MEMI_INTELLIGENCE_PLUGINS: no package {wanted!r} is installed for {port}")
    if len(fitting) > 1:
        names = ", ".join(sorted(_name(point) for point in fitting))
        raise ConfigurationError(f"several packages offer {port} ({names}): choose by MEMI_INTELLIGENCE_PLUGINS")
    return fitting[0] if fitting else None


def _seat(installed: Installed, point: EntryPoint, limits: Limits) -> None:
    port, name = PORTS[point.name], _name(point)
    version = "" if point.dist is None else point.dist.version
    try:
        plugin = point.load()()
        installed.seats[port.name] = Seat(port, plugin, name, version, limits)
    except (Exception, SystemExit) as error:
        # Whatever keeps somebody else's code from starting must not keep memi from it, also where that gives up.
        installed.broken[port.name] = f"{name} {version}: {type(error).__name__}"
        log.exception("intelligence_not_loaded", port=port.name, plugin=name, version=version)
        return
    log.info("intelligence_loaded", port=port.name, plugin=name, version=version)


def _name(point: EntryPoint) -> str:
    return point.value if point.dist is None else point.dist.name


def _same(name: str, wanted: str) -> bool:
    """As package indexes compare names."""
    return name.lower().replace("_", "-") == wanted.lower().replace("_", "-")
