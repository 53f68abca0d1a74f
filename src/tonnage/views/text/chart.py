"""The bytes of a plan over time as a small chart, with the reserve as a line: one bar for each step that matters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.units import format_bytes
from tonnage.views.text.layout import ASCII_FULL, ASCII_KEPT, ASCII_LINE, FULL, KEPT, LINE

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Plan, Step

_MOST_BARS = 12
_SMALLEST_PERCENT = 1
"""Steps that move less than this of the chart's width are left out."""
_LONGEST_NAME = 24
_FIGURES = 12
_FEWEST_CELLS = 16


def chart_lines(plan: Plan, *, width: int, ascii_only: bool = False) -> list[str]:
    """Draw what of the headroom is taken at the worst moment of each step, and after those that only give back.

    Returns:
        Lines; none where too little is known, or nothing moves.
    """
    need = plan.need
    headroom_bytes = plan.available_bytes - plan.reserve_bytes
    if need is None or headroom_bytes <= 0 or not need.peak.high_bytes:
        return []
    whole_bytes = max(headroom_bytes, need.peak.high_bytes - need.freed_bytes)
    shown = _shown(plan, whole_bytes * _SMALLEST_PERCENT // 100)
    if len(shown) < 2:  # noqa: PLR2004 - one bar shows no change
        return []
    name_cells = min(_LONGEST_NAME, max(len(step.name) for step in shown))
    cells = width - name_cells - _FIGURES - 6
    if cells < _FEWEST_CELLS:
        return []
    full, may, line = (ASCII_FULL, ASCII_KEPT, ASCII_LINE) if ascii_only else (FULL, KEPT, LINE)
    mark = min(cells - 1, round(headroom_bytes * (cells - 1) / whole_bytes))
    lines = [f"  bytes taken, step by step: likely {full}, at most {may}; the reserve begins at {line}"]
    for step in shown:
        likely_bytes, most_bytes = _taken(plan, step)
        bar = [full] * round(likely_bytes * (cells - 1) / whole_bytes)
        bar += [may] * (round(most_bytes * (cells - 1) / whole_bytes) - len(bar))
        bar += [" "] * (cells - len(bar))
        bar.insert(mark, line)
        name = step.name if len(step.name) <= name_cells else f"{step.name[: name_cells - 3]}..."
        lines.append(f"  {name:{name_cells}} {format_bytes(likely_bytes):>{_FIGURES}} {''.join(bar[:cells]).rstrip()}")
    return lines


def _shown(plan: Plan, least_bytes: int) -> list[Step]:
    """Return the steps that move something, in their order; of too many those that need most."""
    found: list[Step] = []
    level = 0
    for step in plan.steps:
        if not (step.available_lowest.known and step.available_after.known):
            continue
        if abs(_taken(plan, step)[0] - level) > least_bytes:
            found.append(step)
        level = max(0, plan.available_bytes - step.available_after.likely_bytes)
    most = sorted(found, key=lambda step: -_taken(plan, step)[1])[:_MOST_BARS]
    return [step for step in found if step in most]


def _taken(plan: Plan, step: Step) -> tuple[int, int]:
    gives_back = step.kept.likely_bytes < 0
    available = step.available_after if gives_back else step.available_lowest
    likely_bytes = max(0, plan.available_bytes - available.likely_bytes)
    return likely_bytes, max(likely_bytes, plan.available_bytes - available.low_bytes)
