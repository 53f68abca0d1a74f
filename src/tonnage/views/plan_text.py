"""A plan as text: one stable line for each step. What is printed here is what tests of planning compare.

Knows nothing but the plan: no clock and no environment. Values of environment variables, build
arguments and secrets are never printed, though the plan carries them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.units import format_bytes

if TYPE_CHECKING:
    from tonnage.model.forecast import Estimate
    from tonnage.model.plan import Plan, Step


def plan_text(plan: Plan, *, width: int = 0) -> str:
    """Write a plan for people.

    Args:
        plan: Any plan, refused ones included.
        width: Columns of the terminal: a step that does not fit on one line is written on several. 0 keeps each step
            on one line, whatever its length.

    Returns:
        Lines joined by newlines, without one at the end.
    """
    blocks = [_head(plan)]
    if plan.refusal is not None:
        refusal = (plan.refusal.what, *_indented(plan.refusal.why), *_indented(plan.refusal.todo))
        blocks.append(["refused: " + refusal[0], *refusal[1:]])
    if plan.steps:
        blocks.append([line for number, step in enumerate(plan.steps, 1) for line in _step_lines(number, step, width)])
    elif plan.refusal is None:
        blocks.append(["nothing to do"])
    if plan.unchanged:
        blocks.append(["unchanged:", *(f"  {each.service}: {each.reason}" for each in plan.unchanged)])
    if plan.notes:
        blocks.append(["notes:", *(f"  {note}" for note in plan.notes)])
    return "\n\n".join("\n".join(block) for block in blocks)


def estimate_text(estimate: Estimate) -> str:
    """Write a forecast with its grade: ``8.41 GB (learned)``, or ``unknown``.

    Args:
        estimate: Any forecast.

    Returns:
        The likely bytes and how they are known.
    """
    if not estimate.known:
        return "unknown"
    return f"{format_bytes(estimate.likely_bytes)} ({estimate.grade})"


def _head(plan: Plan) -> list[str]:
    asked = " ".join((plan.purpose, plan.stack, *(f"[{service}]" for service in plan.services)))
    headroom_bytes = plan.available_bytes - plan.line_bytes
    disk = (
        f"  {plan.filesystem}: {format_bytes(plan.available_bytes)} available,"
        f" line {format_bytes(plan.line_bytes)}, headroom {format_bytes(headroom_bytes)}"
    )
    return [asked, disk]


def _step_lines(number: int, step: Step, width: int) -> list[str]:
    parts = (
        f"{number:2d}. {step.name}: {what_changes(step)}",
        f"why: {step.cause}",
        f"after {estimate_text(step.after)}",
        f"lowest {estimate_text(step.lowest)}",
    )
    line = " | ".join(parts)
    lines = [line]
    if width and len(line) > width:
        lines = [parts[0], f"    {parts[1]}", f"    {parts[2]}, {parts[3]}"]
    lines += [f"      at the line {each.name}: {what_changes(each)}" for each in step.at_line]
    lines += [f"      undo {each.name}: {what_changes(each)}" for each in step.on_failure]
    return lines


def what_changes(step: Step) -> str:
    """Return what a step changes, as it stands after its name.

    Args:
        step: Any step.

    Returns:
        Its own words, or that it changes nothing.
    """
    return f"changes {step.changes}" if step.changes.startswith("nothing") else step.changes


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]
