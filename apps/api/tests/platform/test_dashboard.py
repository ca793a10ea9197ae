"""The dashboard that operators import shows all that is measured, and asks for nothing that is not."""

import json
import re
import runpy
from pathlib import Path

from prometheus_client import REGISTRY

_FOLDER = Path(__file__).parents[4] / "deploy" / "grafana"
_NAME = re.compile(r"\bmemi_[a-z_]+").findall


def _measured() -> set[str]:
    families = {family.name for family in REGISTRY.collect() if family.name.startswith("memi_")}
    assert len(families) > 20
    return families


def _asked_for() -> set[str]:
    document = json.loads((_FOLDER / "memi.json").read_text())
    asked = {name for panel in document["panels"] for ask in panel.get("targets", []) for name in _NAME(ask["expr"])}
    return {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in asked}


def test_every_metric_is_on_the_dashboard_and_every_name_on_it_is_measured() -> None:
    assert _asked_for() == _measured()


def test_the_committed_dashboard_is_what_its_script_writes() -> None:
    written = runpy.run_path(str(_FOLDER / "dashboard.py"))["text"]()
    assert (_FOLDER / "memi.json").read_text() == written


def test_panels_do_not_cover_each_other() -> None:
    panels = json.loads((_FOLDER / "memi.json").read_text())["panels"]
    cells = [
        (x, y)
        for panel in panels
        for grid in [panel["gridPos"]]
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
