"""The disk over the time of a run, with the reserve as a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.units import format_bytes, format_seconds
from tonnage.views.html.elements import cut, element, percent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    from tonnage.model.deploy.disk_history import DiskHistory, StepSpan
    from tonnage.model.deploy.run import Run

_HIGH, _NAMES = 240.0, 34.0
# Above the highest point is room for a line of text. Names of steps stand below the axis, away from the curve.
_SIDE = 1000
_MOST_BANDS = 40
_WORTH_A_NAME = 0.04
"""Steps that took less than this part of the run have no name in the picture."""


def disk_chart(run: Run, history: DiskHistory) -> Element | None:
    """Draw one run; None where too little is known of it."""
    if len(history.points) < 2:  # noqa: PLR2004 - one point is no history
        return None
    end_s = max(history.points[-1][0], run.seconds, 0.01)
    most_bytes = max(*(count for _, count in history.points), run.reserve_bytes, 1) * 12 // 11
    low_s, lowest_bytes = min(history.points, key=lambda point: point[1])
    said = (
        f"Free space on {run.filesystem or 'the disk'} over {format_seconds(end_s)}: at the beginning"
        f" {format_bytes(history.points[0][1])}, at the lowest {format_bytes(lowest_bytes)} after"
        f" {format_seconds(low_s)}, at the end {format_bytes(history.points[-1][1])};"
        f" the reserve is {format_bytes(run.reserve_bytes)}"
    )
    reserve_y = _y(run.reserve_bytes, most_bytes)
    low_y = _y(lowest_bytes, most_bytes)
    below = lowest_bytes < run.reserve_bytes
    # The lowest point has its words beside it, so those of the reserve stand at the other side, above the zero.
    place, anchor = ("0.5%", "start") if low_s > end_s / 2 else ("99.5%", "end")
    words_y = min(max(12.0, reserve_y - 5), _HIGH - 18)
    children = [
        element("rect", width="100%", height=f"{_HIGH:.0f}", class_="frame"),
        *_bands(history.spans, end_s, stripes=True),
        _curve(history.points, end_s, most_bytes),
        *_bands(history.spans, end_s, stripes=False),
        element("line", x1="0", x2="100%", y1=f"{reserve_y:.1f}", y2=f"{reserve_y:.1f}", class_="reserve"),
        element(
            "text", f"reserve {format_bytes(run.reserve_bytes)}", x=place, y=f"{words_y:.1f}",
            text_anchor=anchor, class_="reserve-text",
        ),
        element("circle", cx=percent(low_s, end_s), cy=f"{low_y:.1f}", r=4, class_="bad" if below else "low"),
        element(
            "text", f"lowest {format_bytes(lowest_bytes)}", x=percent(low_s, end_s), y=f"{max(26.0, low_y - 8):.1f}",
            text_anchor=_anchor(low_s / end_s), class_="bad-text" if below else None,
        ),
        element("text", format_bytes(most_bytes), x=4, y=13, class_="soft"),
        element("text", "0", x=4, y=_HIGH - 4, class_="soft"),
        element("text", "begin", x=0, y=_HIGH + 30, class_="soft"),
        element("text", format_seconds(end_s), x="100%", y=_HIGH + 30, text_anchor="end", class_="soft"),
    ]  # fmt: skip
    picture = element("svg", *children, height=int(_HIGH + _NAMES), role="img", aria_label=said)
    measured = "" if history.sampled else " Only the figures around each step are known of this run."
    return element("figure", picture, element("figcaption", f"{said}.{measured}"))


def _y(count_bytes: int, most_bytes: int) -> float:
    return _HIGH - _HIGH * max(0, count_bytes) / most_bytes


def _anchor(at: float) -> str:
    near, far = 0.15, 0.85
    return "start" if at < near else "end" if at > far else "middle"


def _bands(spans: Sequence[StepSpan], end_s: float, *, stripes: bool) -> list[Element]:
    """Return every other of the longest steps as a stripe, or the names of all, which stand before the curve."""
    long = sorted(spans, key=lambda span: -span.seconds)[:_MOST_BANDS]
    shown = sorted((span for span in long if span.seconds >= end_s * _WORTH_A_NAME), key=lambda span: span.began_s)
    found = []
    for number, span in enumerate(shown):
        if stripes and number % 2:
            continue
        inside = (
            (element("rect", width="100%", height="100%", class_="band"),)
            if stripes
            else (
                element("title", f"{span.name}: {format_seconds(span.seconds)}"),
                element("rect", width="100%", height="100%", class_="glass"),
                element("text", cut(span.name, 60), x=4, y=_HIGH + 14, class_="soft"),
            )
        )
        found.append(
            element(
                "svg", *inside, x=percent(span.began_s, end_s),
                width=percent(min(span.seconds, max(0.0, end_s - span.began_s)), end_s),
                height=f"{_HIGH if stripes else _HIGH + _NAMES / 2:.0f}",
            )
        )  # fmt: skip
    return found


def _curve(points: Sequence[tuple[float, int]], end_s: float, most_bytes: int) -> Element:
    places = [f"{_SIDE * at_s / end_s:.0f} {_SIDE - _SIDE * max(0, count) / most_bytes:.0f}" for at_s, count in points]
    line = "M" + "L".join(places)
    first, last = places[0].split()[0], places[-1].split()[0]
    return element(
        "svg",
        element("path", d=f"{line}L{last} {_SIDE}L{first} {_SIDE}Z", class_="area"),
        element("path", d=line, class_="curve"),
        viewBox=f"0 0 {_SIDE} {_SIDE}",
        preserveAspectRatio="none",
        height=f"{_HIGH:.0f}",
    )
