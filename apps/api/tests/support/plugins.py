"""Plug-ins as package managers leave them: a module, and beside it what says that it is one."""

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent


@dataclass(frozen=True)
class Package:
    """A module of this `code`, whose `points` are entry points: port -> object."""

    name: str
    code: str
    points: dict[str, str]
    version: str = "1.0"

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    def install(self, folder: Path) -> None:
        (folder / f"{self.module}.py").write_text(dedent(self.code))
        about = folder / f"{self.module}-{self.version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}\n")
        lines = [f"{port} = {self.module}:{place}" for port, place in self.points.items()]
        (about / "entry_points.txt").write_text("\n".join(["[memi.intelligence]", *lines, ""]))
