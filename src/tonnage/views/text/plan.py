"""A plan as text: one stable line for each step. What is printed here is what tests of planning compare.

Knows nothing but the plan: no clock and no environment. Values of environment variables, build
arguments and secrets are never printed, though the plan carries them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.escapes import visible_in_line
from tonnage.model.forecast.estimate import UNKNOWN
from tonnage.units import format_bytes, format_seconds
from tonnage.views.text.chart import chart_lines
from tonnage.views.text.layout import joined, wrapped
from tonnage.views.text.plan_summary import is_bookkeeping, summary_line
from tonnage.views.text.sharing import sharing_lines

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Plan, Step
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.fit import Overlap

_NARROWEST = 40
_NEW_SHOWN = 3


def plan_text(
    plan: Plan, *, width: int = 0, ascii_only: bool = False, sharing: bool = False, everything: bool = False
) -> str:
    """Write a plan for people, or in full as tests compare it where there is no width.

    Args:
        sharing: Say also what services share, and why not more.
        everything: Write also steps that only tag or tidy up, what undoes each step, and steps of a refused plan.
    """
    blocks = [_summary(plan) if width else _head(plan)]
    if plan.refusal is not None:
        refusal = (plan.refusal.what, *_indented(plan.refusal.why), *_indented(plan.refusal.todo))
        blocks.append(["refused: " + refusal[0], *refusal[1:]])
    if width and (chart := chart_lines(plan, width=width, ascii_only=ascii_only)):
        blocks.append(chart)
    if plan.steps and width:
        if everything or plan.refusal is None:
            blocks.append(_for_people(plan, width, everything=everything))
    elif plan.steps:
        blocks.append([line for number, step in enumerate(plan.steps, 1) for line in _step_lines(number, step)])
    elif plan.refusal is None and not width:
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
        f" reserve {format_bytes(plan.reserve_bytes)}, usable {format_bytes(headroom_bytes)}"
    )
    return [asked, disk]


def _summary(plan: Plan) -> list[str]:
    """Return what people look for first: what is done and needed, on which disk, and when it is worst."""
    asked, disk = _head(plan)
    lines = [f"{asked}: {summary_line(plan)}", disk]
    need = plan.need
    if need is not None and need.peak.high_bytes:
        reclaimed = f"; {format_bytes(need.freed_bytes)} are reclaimed before" if need.freed_bytes else ""
        lines.append(f"  the peak is {estimate_text(need.peak)} in {need.step}{reclaimed}")
    lines += _overlap_lines(plan.overlap)
    if plan.seconds is None and plan.times and plan.refusal is None:
        known = dict(plan.times)
        new = [step.name for step in plan.steps if step.name not in known]
        more = f" and {len(new) - _NEW_SHOWN} more" if len(new) > _NEW_SHOWN else ""
        lines.append(f"  how long it takes is known after the first run of {', '.join(new[:_NEW_SHOWN])}{more}")
    return lines


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


def _for_people(plan: Plan, width: int, *, everything: bool) -> list[str]:
    """Return the steps as people read them: nothing twice, and nothing that is not known or does not matter."""
    lines: list[str] = []
    above: list[str] = []
    tightest = _tightest(plan)
    folded = 0
    for number, step in enumerate(plan.steps, 1):
        figures = _figures(plan, step, everything=everything or step is tightest)
        if not everything and not figures and is_bookkeeping(step):
            folded += 1
            continue
        what, why = _what_and_why(number, step)
        known = [", ".join(figures)] if figures else []
        line = " | ".join((what, why, *known))
        lines += [line] if len(line) <= width else [what, *(f"    {part}" for part in (why, *known))]
        if everything:
            besides = _besides(step)
            lines += ["      undo as above"] if besides and besides == above else besides
            above = besides
    if folded:
        lines += ["", f"{folded} bookkeeping step{'s' if folded > 1 else ''} left out; --all shows them"]
    if any(step.available_lowest == UNKNOWN and not is_bookkeeping(step) for step in plan.steps):
        lines += ["", "Steps without figures are measured when they first run."]
    return lines


def _tightest(plan: Plan) -> Step | None:
    """Return the step in which the least is available, where that differs from step to step."""
    known = [step for step in plan.steps if step.available_lowest.known]
    return min(known, key=lambda step: step.available_lowest.likely_bytes, default=None)


def _figures(plan: Plan, step: Step, *, everything: bool) -> list[str]:
    """Return by how much a step changes the disk, and the least that is available in it, where it matters."""
    kept = step.kept
    matters = kept.known and kept.likely_bytes and abs(kept.likely_bytes) * 100 >= abs(plan.available_bytes)
    if not matters and not everything:
        return []
    found = []
    if kept.known and kept.likely_bytes:
        sign = "+" if kept.likely_bytes > 0 else ""
        found.append(f"{sign}{format_bytes(kept.likely_bytes)} ({kept.grade})")
    if step.available_lowest.known:
        found.append(f"lowest {format_bytes(step.available_lowest.likely_bytes)} available")
    return found


def _what_and_why(number: int, step: Step) -> tuple[str, str]:
    return f"{number:2d}. {step.name}: {what_changes(step)}", f"why: {step.cause}"


def _expected(step: Step) -> tuple[str, str]:
    return f"after {estimate_text(step.available_after)}", f"lowest {estimate_text(step.available_lowest)}"


def _besides(step: Step) -> list[str]:
    lines = [f"      below the reserve {each.name}: {what_changes(each)}" for each in step.at_reserve]
    return lines + [f"      undo {each.name}: {what_changes(each)}" for each in step.on_failure]


_FOLDED_ALREADY = 10
"""The indent from which on lines come folded."""


def _broken(line: str, width: int) -> list[str]:
    """Return a line broken between words; what follows is indented a little more than its beginning."""
    if not width or len(line) <= width:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()))
    if len(indent) >= _FOLDED_ALREADY:
        # Only what is to be copied is longer.
        return [line]
    then = f"{indent}    " if indent else ""
    return wrapped(visible_in_line(line.lstrip()), max(width, _NARROWEST), first=indent, then=then)


def unchanged_text(plan: Plan, *, width: int = 0) -> str:
    """Write which services a plan leaves alone, each with the reason."""
    lines = [f"{each.service} unchanged: {each.reason}" for each in plan.unchanged]
    return joined(part for line in lines for part in _broken(line, width))


def what_changes(step: Step) -> str:
    """Return what a step changes, as it stands after its name."""
    return f"changes {step.changes}" if step.changes.startswith("nothing") else step.changes


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]
