"""What Tonnage made, on terminals of different width."""

from __future__ import annotations

from tonnage.model.reports.traces import Trace, TraceKind, TraceReport
from tonnage.views.text.uninstall import traces_text

NAME = "localhost/tonnage/shop/worker:v2-1637aea84674"
TRACES = (
    Trace(
        kind=TraceKind.NAME, name=NAME, about="a version; no rollback to it afterwards; the image is also shop:latest"
    ),
    Trace(
        kind=TraceKind.CACHE, name="/root/.cache/tonnage", about="what forecasts looked up", size_bytes=2_080_000_000
    ),
)


def test_a_narrow_terminal_has_what_is_lost_on_a_line_of_its_own() -> None:
    report = TraceReport(traces=TRACES, endpoint="unix:///var/run/docker.sock", notes=("a note " * 30,))
    narrow = traces_text(report, width=80)
    assert all(len(line) <= 80 for line in narrow.splitlines())
    assert "      a version; no rollback to it afterwards; the image is also shop:latest\n" in narrow
    assert f"{NAME}  a version; no rollback" in traces_text(report)
