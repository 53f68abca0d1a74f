"""A plan as text: one stable line for each step. What is printed here is what tests of planning compare.

Knows nothing but the plan: no clock and no environment. Values of environment variables, build
arguments and secrets are never printed, though the plan carries them.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tonnage.escapes import visible_in_line
from tonnage.model.forecast.estimate import UNKNOWN
from tonnage.units import format_bytes, format_seconds
from tonnage.views.text.chart import chart_lines
from tonnage.views.text.layout import joined
from tonnage.views.text.sharing import sharing_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.deploy.plan import Plan, Step
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.fit import Overlap

_NARROWEST = 40


def plan_text(plan: Plan, *, width: int = 0, ascii_only: bool = False, sharing: bool = False) -> str:
    """Write a plan for people.

    Args:
        sharing: Say also what services share, and why not more.
    """
    blocks = [[*_head(plan), *(_need_lines(plan) if width else [])]]
    if plan.refusal is not None:
        refusal = (plan.refusal.what, *_indented(plan.refusal.why), *_indented(plan.refusal.todo))
        blocks.append(["refused: " + refusal[0], *refusal[1:]])
    if width and (chart := chart_lines(plan, width=width, ascii_only=ascii_only)):
        blocks.append(chart)
    if plan.steps and width:
        blocks.append(_for_people(plan.steps, width))
    elif plan.steps:
        blocks.append([line for number, step in enumerate(plan.steps, 1) for line in _step_lines(number, step)])
    elif plan.refusal is None:
        blocks.append(["nothing to do"])
    if plan.unchanged:
        blocks.append(["unchanged:", *(f"  {each.service}: {each.reason}" for each in plan.unchanged)])
    if sharing:
        blocks.append(sharing_lines(plan.sharing))
    if plan.notes:
        blocks.append(["notes:", *(f"  {note}" for note in plan.notes)])
    lines = [line for block in blocks for line in ("", *block)][1:]
    return joined(part for line in lines for part in _broken(line, width))


def estimate_text(estimate: Estimate) -> str:
    """Write a forecast with its grade: ``8.41 GB (learned)``, or ``unknown``."""
    if not estimate.known:
        return "unknown"
    return f"{format_bytes(estimate.likely_bytes)} ({estimate.grade})"


def _head(plan: Plan) -> list[str]:
    asked = " ".join((plan.purpose, plan.stack, *(f"[{service}]" for service in plan.services)))
    headroom_bytes = plan.available_bytes - plan.reserve_bytes
    disk = (
        f"  {plan.filesystem}: {format_bytes(plan.available_bytes)} available,"
        f" reserve {format_bytes(plan.reserve_bytes)}, headroom {format_bytes(headroom_bytes)}"
    )
    return [asked, disk]


def _need_lines(plan: Plan) -> list[str]:
    """Return what the plan needs, as a forecast tells it; nothing where that is not known or nothing is needed."""
    need = plan.need
    if need is None or not need.peak.high_bytes:
        return []
    reclaimed = f", with {format_bytes(need.freed_bytes)} reclaimed before" if need.freed_bytes else ""
    lines = [f"  needs {estimate_text(need.peak)} at its worst moment, in {need.step}{reclaimed}"]
    return [*lines, *_overlap_lines(plan.overlap)]


def _overlap_lines(overlap: Overlap | None) -> list[str]:
    if overlap is None:
        return []
    missing = overlap.seconds - overlap.bound_seconds
    proven = f"; not proven, at most {100 * missing / overlap.seconds:.1f} % less" if missing else ", the optimum"
    at_best, in_turn = format_seconds(overlap.seconds), format_seconds(overlap.in_turn_seconds)
    return [f"  takes {at_best} at best with {overlap.at_once} images at once, {in_turn} one by one{proven}"]


def _step_lines(number: int, step: Step) -> list[str]:
    line = " | ".join((*_what_and_why(number, step), *_expected(step)))
    return [line, *_besides(step)]


def _for_people(steps: Sequence[Step], width: int) -> list[str]:
    """Return the steps as people read them: nothing twice, and nothing that is not known."""
    lines: list[str] = []
    above: list[str] = []
    for number, step in enumerate(steps, 1):
        known = [] if step.available_after == step.available_lowest == UNKNOWN else [", ".join(_expected(step))]
        line = " | ".join((*_what_and_why(number, step), *known))
        what, why = _what_and_why(number, step)
        lines += [line] if len(line) <= width else [what, *(f"    {part}" for part in (why, *known))]
        besides = _besides(step)
        lines += ["      undo as above"] if besides and besides == above else besides
        above = besides
    if any(step.available_lowest == UNKNOWN for step in steps):
        lines += ["", "A step without figures is measured when it runs; from then on they are known."]
    return lines


def _what_and_why(number: int, step: Step) -> tuple[str, str]:
    return f"{number:2d}. {step.name}: {what_changes(step)}", f"why: {step.cause}"


def _expected(step: Step) -> tuple[str, str]:
    return f"after {estimate_text(step.available_after)}", f"lowest {estimate_text(step.available_lowest)}"


def _besides(step: Step) -> list[str]:
    lines = [f"      below the reserve {each.name}: {what_changes(each)}" for each in step.at_reserve]
    return lines + [f"      undo {each.name}: {what_changes(each)}" for each in step.on_failure]


def _broken(line: str, width: int) -> list[str]:
    """Return a line broken between words; what follows is indented a little more than its beginning."""
    if not width or len(line) <= width:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.wrap(
        visible_in_line(line.lstrip()),
        max(width, _NARROWEST),
        initial_indent=indent,
        subsequent_indent=f"{indent}    " if indent else "",
        break_long_words=False,
        break_on_hyphens=False,
    )


def unchanged_text(plan: Plan, *, width: int = 0) -> str:
    """Write which services a plan leaves alone, each with the reason."""
    lines = [f"{each.service} unchanged: {each.reason}" for each in plan.unchanged]
    return joined(part for line in lines for part in _broken(line, width))


def what_changes(step: Step) -> str:
    """Return what a step changes, as it stands after its name."""
    return f"changes {step.changes}" if step.changes.startswith("nothing") else step.changes


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]
