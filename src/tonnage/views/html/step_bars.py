"""Each step as two bars: what was forecast that it keeps, and what was measured, with what it needed for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.deploy.run import Outcome
from tonnage.units import format_bytes, format_seconds
from tonnage.views.html.elements import cut, element, folded, percent, swatch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    from tonnage.model.deploy.run import StepOutcome

_HIGH = 26
_WORTH_A_BAR = 1_000_000


def step_bars(steps: Sequence[StepOutcome], *, most: int) -> list[Element]:
    """Draw steps in their order.

    Args:
        most: How many at most; of more, those that moved most.
    """
    told = [step for step in steps if step.outcome is not Outcome.DONE or _reach(step) >= _WORTH_A_BAR]
    moved = sorted(range(len(told)), key=lambda at: (told[at].outcome is Outcome.DONE, -_reach(told[at])))[:most]
    shown = [told[at] for at in sorted(moved)]
    made: list[Element] = []
    if shown:
        top = max(_highest(step) for step in shown)
        bottom = min(0, *(_lowest(step) for step in shown), 0)
        items = [_item(step, bottom, max(top, bottom + 1)) for step in shown]
        made = [_legend(), element("ol", *items, class_="bars")]
    drawn = {id(step) for step in shown}
    others = [step for step in steps if id(step) not in drawn]
    if others:
        lines = [element("li", _head(step)) for step in others[:most]]
        more = f", the first {most} of them" if len(others) > most else ""
        steps_told = "1 step" if len(others) == 1 else f"{len(others)} steps"
        made.append(folded(f"{steps_told} with little change{more}", element("ol", *lines, class_="bars")))
    return made


def _legend() -> Element:
    entries = (("forecast", "forecast"), ("measured", "measured: kept"), ("temporary", "measured: temporary"))
    return element("ul", *(element("li", swatch(kind), said) for kind, said in entries), class_="legend")


def _item(step: StepOutcome, bottom: int, top: int) -> Element:
    whole = top - bottom
    zero = percent(-bottom, whole)
    bars = [element("line", x1=zero, x2=zero, y1=0, y2=_HIGH, class_="zero")]
    if step.forecast_kept_bytes is not None:
        bars.append(_bar(step.forecast_kept_bytes, 0, bottom, whole, 2, "forecast"))
    if step.measured:
        disk = step.measured[0]
        reach = max(disk.kept_bytes, 0) + disk.transient_bytes
        bars.append(_bar(reach, max(disk.kept_bytes, 0), bottom, whole, 14, "temporary"))
        bars.append(_bar(disk.kept_bytes, 0, bottom, whole, 14, "measured"))
    return element("li", _head(step), element("svg", *bars, height=_HIGH, aria_hidden="true"))


def _head(step: StepOutcome) -> Element:
    name = f"undo {step.name}" if step.undo else step.name
    bad = "bad-text" if step.outcome is not Outcome.DONE else None
    return element("div", element("strong", cut(name), class_=bad), element("span", _said(step)), class_="line")


def _bar(count_bytes: int, from_bytes: int, bottom: int, whole: int, y: int, kind: str) -> Element:
    begin, end = sorted((count_bytes, from_bytes))
    return element(
        "rect", x=percent(begin - bottom, whole), y=y, width=percent(end - begin, whole), height=10, class_=kind
    )


def _said(step: StepOutcome) -> str:
    """Return a step in words: what the bars show, for those who do not see them too."""
    parts = [] if step.outcome is Outcome.DONE else [str(step.outcome)]
    forecast = "unknown" if step.forecast_kept_bytes is None else format_bytes(step.forecast_kept_bytes)
    if step.forecast_kept_bytes is not None and step.forecast_grade:
        forecast += f" ({step.forecast_grade})"
    parts.append(f"forecast {forecast}")
    if step.measured:
        disk = step.measured[0]
        shared = ", with what ran beside it" if disk.shared else ""
        parts.append(f"measured {format_bytes(disk.kept_bytes)}{shared}")
        if disk.transient_bytes:
            parts.append(f"temporary {format_bytes(disk.transient_bytes)}")
        parts.append(f"lowest free {format_bytes(disk.lowest_bytes)}")
    parts.append(format_seconds(step.seconds))
    return " · ".join(parts)


def _highest(step: StepOutcome) -> int:
    measured = max(step.measured[0].kept_bytes, 0) + step.measured[0].transient_bytes if step.measured else 0
    return max(measured, step.forecast_kept_bytes or 0)


def _lowest(step: StepOutcome) -> int:
    return min(step.measured[0].kept_bytes if step.measured else 0, step.forecast_kept_bytes or 0)


def _reach(step: StepOutcome) -> int:
    return max(_highest(step), -_lowest(step))
