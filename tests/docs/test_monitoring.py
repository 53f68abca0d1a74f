"""The page about monitoring names every metric with its labels, and the dashboard asks for none but these."""

from __future__ import annotations

import json
import re
from pathlib import Path

from msgspec.structs import replace
from tests.unit.views.samples import INVENTORY, LINES, RUN, STACK

from tonnage.views.metrics.status import status_families

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "monitoring.md").read_text()
FAMILIES = {
    family.name: family
    for family in status_families(
        replace(INVENTORY, volumes=()), reserves=LINES, stack=STACK, runs=(RUN,), now_s=1_795_000_123.0
    )
}


def test_every_metric_is_documented_with_its_labels() -> None:
    rows = re.findall(r"^\| `(tonnage_\w+)` \|([^|]*)\|", PAGE, re.MULTILINE)
    documented = {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    assert documented == {
        name: tuple(label for label, _ in family.samples[0].labels) for name, family in FAMILIES.items()
    }


def test_the_dashboard_and_the_alerts_ask_for_metrics_that_there_are() -> None:
    dashboard = json.loads((DOCS / "grafana.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += re.findall(r"expr: (.*)", PAGE)
    named = {name for query in queries for name in re.findall(r"tonnage_\w+", query)}
    assert named
    assert named <= set(FAMILIES)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in dashboard["panels"])
