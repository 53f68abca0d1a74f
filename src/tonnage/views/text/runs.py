"""Runs, and how far forecasts were off, as text: every figure is forecast or measured, and says which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.deploy.run import Outcome
from tonnage.units import format_bytes, format_moment, format_seconds
from tonnage.views.text.layout import columns, fits, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.deploy.run import InstructionOutcome, Pruned, Run, StepOutcome
    from tonnage.model.forecast.estimate import Estimate

_HEADS = ("step", "forecast", "disk", "temporary", "lowest", "time")
_FIGURES = (1, 2, 3, 4, 5)


def runs_text(runs: Sequence[Run], *, width: int = 80) -> str:
    """Write several runs, the latest last."""
    if not runs:
        return "no runs yet"
    return "\n\n".join(run_text(run, width=width) for run in runs)


def run_lines_text(runs: Sequence[Run], *, width: int = 80) -> str:
    """Write one line for each run, the latest last."""
    if not runs:
        return "no runs yet"
    rows = [_RUN_HEADS, *(_run_row(run) for run in runs)]
    table = columns(rows, right=(0, 4, 5, 6))
    if not fits(table, width):
        table = columns([row[:5] for row in rows], right=(0, 4))
    return joined([*table, "", f"one of them step by step: tonnage report --run {runs[-1].run_id}"])


_RUN_HEADS = ("run", "when", "what", "result", "time", "disk", "lowest")


def _run_row(run: Run) -> tuple[str, ...]:
    disks = [step.measured[0] for step in run.steps if step.measured]
    figures = ("-", "-")
    if disks:
        lowest_bytes = min(disk.lowest_bytes for disk in disks)
        figures = (change_text(run.kept_bytes or 0), format_bytes(lowest_bytes))
    running = run.outcome is Outcome.RUNNING
    return (
        str(run.run_id),
        format_moment(run.started_s).removesuffix(" UTC"),
        _subject(run),
        "not finished" if running else str(run.outcome),
        format_seconds(run.seconds),
        *figures,
    )


def _subject(run: Run) -> str:
    return f"{run.purpose} {run.stack}".rstrip() + (" (rehearsal)" if run.rehearsal else "")


def change_text(kept_bytes: int) -> str:
    """Write by how much the disk changed: with a sign, so that what came free is not taken for what is kept."""
    return f"+{format_bytes(kept_bytes)}" if kept_bytes > 0 else format_bytes(kept_bytes)


def run_text(run: Run, *, width: int = 80) -> str:
    """Write one run as a table."""
    started = format_moment(run.started_s)
    lines = [f"run {run.run_id}: {_subject(run)}, {started}, {_ended(run)}"]
    rows = [_cells(step) for step in run.steps]
    if rows:
        table = columns((_HEADS, *rows), right=_FIGURES, indent="  ")
        lines += table if fits(table, width) else _in_two_lines(rows)
        lines += _summary(run)
        lines += _what_runs_now(run)
    # What follows the first line may be a program's own words, and must not look like a line of ours.
    lines += [f"  {'| ' * (at > 0)}{line}" for at, line in enumerate(run.message.splitlines())]
    return joined(lines)


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
        else f"{change_text(step.forecast_kept_bytes)} {step.forecast_grade}"
    )
    if not step.measured:
        return (name, forecast, "-", "-", "-", format_seconds(step.seconds))
    disk = step.measured[0]
    return (
        name,
        forecast,
        change_text(disk.kept_bytes),
        format_bytes(disk.transient_bytes),
        format_bytes(disk.lowest_bytes),
        format_seconds(step.seconds),
    )


def _in_two_lines(rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = []
    for name, forecast, kept, transient, lowest, seconds in rows:
        lines.append(f"  {name}  {seconds}")
        if kept != "-":
            lines.append(f"    disk {kept} (forecast {forecast})")
            lines.append(f"    temporary {transient}, lowest {lowest}")
    return lines


def _summary(run: Run) -> list[str]:
    disks = [step.measured[0] for step in run.steps if step.measured]
    if not disks:
        return []
    lowest_bytes = min(disk.lowest_bytes for disk in disks)
    margin_bytes = lowest_bytes - run.reserve_bytes
    side = "above" if margin_bytes >= 0 else "BELOW"
    kept = change_text(run.kept_bytes or 0)
    return [
        f"  measured on {run.filesystem}: {kept}, reserve {format_bytes(run.reserve_bytes)}",
        f"  lowest {format_bytes(lowest_bytes)} available, {format_bytes(abs(margin_bytes))} {side} the reserve",
    ]


def _what_runs_now(run: Run) -> list[str]:
    """Write which version of a service runs after its new one failed: people ask that first."""
    lines = []
    failed = next((s for s in run.steps if not s.undo and s.outcome not in {Outcome.DONE, Outcome.SKIPPED}), None)
    kinds = {step.kind for step in run.steps if failed is not None and step.service == failed.service}
    if failed is not None and "start-first" in kinds and "switch" not in kinds:
        lines.append(f"  {failed.service}: the running version was not changed")
    for step in run.steps:
        if step.undo and step.kind == "prove" and step.outcome is Outcome.DONE:
            lines.append(f"  {step.service}: the previous version runs again and is healthy")
        elif step.undo and step.kind == "prove":
            lines.append(f"  {step.service}: the previous version was started again, but is not healthy")
    return lines


_ACCURACY_HEADS = ("run", "what", "figure", "forecast", "measured", "error", "")
_SMALL_BYTES = 100_000
_WORTH_PER_CENT = 1_000_000


class Comparison(Struct, frozen=True):
    """One forecast figure beside the measured one.

    Args:
        what: The instruction, or the step.
        figure: ``image``, ``disk`` or ``on top``.
    """

    run_id: int
    service: str
    what: str
    figure: str
    forecast: Estimate
    measured_bytes: int

    @property
    def error(self) -> float | None:
        """By which share of the measured figure the likely one was too high; None where that says nothing."""
        if not self.forecast.known or self.measured_bytes == 0:
            return None
        return (self.forecast.likely_bytes - self.measured_bytes) / abs(self.measured_bytes)

    @property
    def off_bytes(self) -> int:
        """By how many bytes the likely figure was too high."""
        return self.forecast.likely_bytes - self.measured_bytes

    @property
    def covered(self) -> bool:
        """Whether the measured figure is not above the high one."""
        return self.forecast.known and self.measured_bytes <= self.forecast.high_bytes


def comparisons(runs: Sequence[Run], instructions: Sequence[InstructionOutcome]) -> tuple[Comparison, ...]:
    """Return every forecast figure with the measured one, builds that the cache answered left out."""
    found: list[Comparison] = []
    for each in instructions:
        if each.cached:
            continue
        for figure, forecast, measured in (
            ("image", each.forecast_image, each.image_bytes),
            ("disk", each.forecast_disk, each.kept_bytes),
            ("on top", each.forecast_transient, each.transient_bytes),
        ):
            if measured is not None and forecast.known and max(forecast.likely_bytes, measured) >= _SMALL_BYTES:
                found.append(Comparison(each.run_id, each.service, each.text, figure, forecast, measured))
    for run in runs:
        for step in run.steps:
            if step.kind != "build" or step.outcome is not Outcome.DONE or not step.measured or step.undo:
                continue
            disk = step.measured[0]
            for figure, told, measured in (
                ("disk", step.forecast_kept, disk.kept_bytes),
                ("on top", step.forecast_transient, disk.transient_bytes),
            ):
                if told is not None and told.known:
                    found.append(Comparison(run.run_id, step.service, step.name, figure, told, measured))
    return tuple(found)


def accuracy_text(found: Sequence[Comparison], *, width: int = 80) -> str:
    """Write forecasts beside what was measured."""
    if not found:
        return "nothing was forecast and measured yet"
    rows = [_ACCURACY_HEADS, *(_row(each, width) for each in found)]
    lines = columns(rows, right=(0, 3, 4, 5))
    known = [each for each in found if each.error is not None and each.forecast.grade != "unknown"]
    errors = sorted(abs(each.error or 0.0) for each in known if abs(each.off_bytes) >= _WORTH_PER_CENT)
    covered = sum(each.covered for each in found)
    if known and not errors:
        lines.append("no error of a known figure is 1 MB or more")
    elif errors:
        of = f"of {len(known)} known figures {len(errors)} {'is' if len(errors) == 1 else 'are'} off by 1 MB or more"
        lines.append(f"{of}; half of these by less than {errors[len(errors) // 2]:.1%}" if len(errors) > 1 else of)
    lines.append(f"{covered} of {len(found)} measured figures are not above the high forecast")
    return joined(lines)


def accuracy_form(found: Sequence[Comparison]) -> dict[str, object]:
    """Return forecasts beside what was measured."""
    return {
        "figures": [
            {
                "run_id": each.run_id,
                "service": each.service,
                "what": each.what,
                "figure": each.figure,
                "forecast": {
                    "low_bytes": each.forecast.low_bytes,
                    "likely_bytes": each.forecast.likely_bytes,
                    "high_bytes": each.forecast.high_bytes,
                    "grade": str(each.forecast.grade),
                },
                "measured_bytes": each.measured_bytes,
                "error": each.error,
                "covered": each.covered,
            }
            for each in found
        ]
    }


def _error(each: Comparison) -> str:
    """Return by how much a forecast was off: in per cent from 1 MB on, below that a kilobyte would be many."""
    if each.error is None:
        return "-"
    if abs(each.off_bytes) >= _WORTH_PER_CENT:
        return f"{each.error:+.1%}"
    return f"{'-' if each.off_bytes < 0 else '+'}{format_bytes(abs(each.off_bytes))}"


def _row(each: Comparison, width: int) -> tuple[str, ...]:
    room = max(20, width - 60)
    what = each.what if each.what.startswith(f"{each.service}.") else f"{each.service}: {each.what}"
    return (
        str(each.run_id),
        what if len(what) <= room else f"{what[: room - 3]}...",
        "temporary" if each.figure == "on top" else each.figure,
        f"{format_bytes(each.forecast.likely_bytes)} {each.forecast.grade}",
        format_bytes(each.measured_bytes),
        _error(each),
        "" if each.covered else "above the high forecast",
    )


def pruned_form(path: str, done: Pruned | None) -> dict[str, object]:
    """Return what became of the journal, for programs."""
    told = {"runs_removed": 0, "runs": 0, "before_bytes": 0, "after_bytes": 0}
    if done is not None:
        told = {
            "runs_removed": done.runs,
            "runs": done.left,
            "before_bytes": done.before_bytes,
            "after_bytes": done.after_bytes,
        }
    return {"path": path, **told}


def pruned_text(path: str, done: Pruned | None) -> str:
    """Write what became of the journal."""
    if done is None:
        return f"{path}: none yet"
    gone = f"{done.runs:,} old run{'s' if done.runs != 1 else ''} taken out, {done.left:,} kept"
    size = f"{format_bytes(done.before_bytes)} before, {format_bytes(done.after_bytes)} now"
    return f"{path}: {gone}; {size}"
