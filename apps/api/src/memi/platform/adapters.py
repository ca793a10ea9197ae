"""Ports are typed; which adapter serves each is chosen once, in wiring."""

from typing import Any, TypeVar

Port = TypeVar("Port")


class Adapters:
    """The adapter chosen for each port of the process's edge, and what a process keeps one of."""

    def __init__(self) -> None:
        self._by_port: dict[type, Any] = {}

    def set(self, port: type[Port], adapter: Port) -> None:
        self._by_port[port] = adapter

    def get(self, port: type[Port]) -> Port:
        """The adapter of `port`; KeyError when wiring chose none."""
        return self._by_port[port]
