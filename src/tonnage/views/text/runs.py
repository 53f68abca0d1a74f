"""Runs as text: forecast beside measured, step by step. Every figure here is one of the two, and says which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.deploy.run import Outcome
from tonnage.units import format_bytes, format_moment, format_seconds
from tonnage.views.text.layout import columns, fits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.deploy.run import Run, StepOutcome

_HEADS = ("step", "forecast", "kept", "transient", "lowest", "time")
_FIGURES = (1, 2, 3, 4, 5)


def runs_text(runs: Sequence[Run], *, width: int = 80) -> str:
    """Write several runs, the latest last."""
    if not runs:
        return "no runs yet"
    return "\n\n".join(run_text(run, width=width) for run in runs)


def run_text(run: Run, *, width: int = 80) -> str:
    """Write one run as a table."""
    started = format_moment(run.started_s)
    lines = [f"run {run.run_id}: {run.purpose} {run.stack}, {started}, {_ended(run)}"]
    rows = [_cells(step) for step in run.steps]
    if rows:
        table = columns((_HEADS, *rows), right=_FIGURES, indent="  ")
        lines += table if fits(table, width) else _in_two_lines(rows)
        lines += _summary(run)
        lines += _what_runs_now(run)
    lines += [f"  {line}" for line in run.message.splitlines()]
    return "\n".join(lines)


def _ended(run: Run) -> str:
    if run.outcome is Outcome.RUNNING:
        return "not finished"
    return f"{run.outcome} in {format_seconds(run.seconds)}"


def _cells(step: StepOutcome) -> tuple[str, ...]:
    name = f"undo {step.name}" if step.undo else step.name
    if step.outcome is not Outcome.DONE:
        name += f" ({step.outcome})"
    forecast = (
        step.forecast_grade
        if step.forecast_kept_bytes is None
        else f"{format_bytes(step.forecast_kept_bytes)} {step.forecast_grade}"
    )
    if not step.measured:
        return (name, forecast, "-", "-", "-", format_seconds(step.seconds))
    disk = step.measured[0]
    return (
        name,
        forecast,
        format_bytes(disk.kept_bytes),
        format_bytes(disk.transient_bytes),
        format_bytes(disk.lowest_bytes),
        format_seconds(step.seconds),
    )


def _in_two_lines(rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = []
    for name, forecast, kept, transient, lowest, seconds in rows:
        lines.append(f"  {name}  {seconds}")
        if kept != "-":
            lines.append(f"    kept {kept} (forecast {forecast})")
            lines.append(f"    transient {transient}, lowest {lowest}")
    return lines


def _summary(run: Run) -> list[str]:
    disks = [step.measured[0] for step in run.steps if step.measured]
    if not disks:
        return []
    kept_bytes = disks[0].before_bytes - disks[-1].after_bytes
    lowest_bytes = min(disk.lowest_bytes for disk in disks)
    margin_bytes = lowest_bytes - run.reserve_bytes
    side = "above" if margin_bytes >= 0 else "BELOW"
    return [
        f"  measured on {run.filesystem}: kept {format_bytes(kept_bytes)}, reserve {format_bytes(run.reserve_bytes)}",
        f"  lowest {format_bytes(lowest_bytes)} available, {format_bytes(abs(margin_bytes))} {side} the reserve",
    ]


def _what_runs_now(run: Run) -> list[str]:
    """Write which version of a service runs after its new one failed: people ask that first."""
    lines = []
    failed = next((s for s in run.steps if not s.undo and s.outcome not in {Outcome.DONE, Outcome.SKIPPED}), None)
    kinds = {step.kind for step in run.steps if failed is not None and step.service == failed.service}
    if failed is not None and "start-first" in kinds and "switch" not in kinds:
        lines.append(f"  {failed.service}: the version that ran before was not touched")
    for step in run.steps:
        if step.undo and step.kind == "prove" and step.outcome is Outcome.DONE:
            lines.append(f"  {step.service}: the version that ran before runs again and is healthy")
        elif step.undo and step.kind == "prove":
            lines.append(f"  {step.service}: the version that ran before was brought back, but did not prove healthy")
    return lines
