"""Events as lines: plain ones where there is no terminal, JSON ones for programs, or both at once."""

from __future__ import annotations

import contextlib
from threading import Lock
from typing import TYPE_CHECKING, Self, TextIO

from tonnage.escapes import shortened, visible, visible_in_line
from tonnage.model.deploy import event as events
from tonnage.model.deploy.run import Outcome
from tonnage.units import format_bytes, format_duration, format_seconds
from tonnage.views.json.forms import event_form, json_text
from tonnage.views.text.plan import what_changes
from tonnage.views.text.runs import change_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from tonnage.model.deploy.event import Event
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.deploy.run import Run, StepOutcome

    class View(Protocol):
        """Shows events."""

        def show(self, event: Event) -> None:
            """Show one event."""


PROGRESS_EVERY_S = 2.0


class _LineView:
    """Writes lines and flushes each. A stream that takes nothing any more, closed or full, ends nothing else."""

    def __init__(self, stream: TextIO, monotonic: Callable[[], float]) -> None:
        self._stream = stream
        self._monotonic = monotonic
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text + "\n")
            self._stream.flush()


class PlainView(_LineView):
    """Writes one plain line for each event; events may come from several threads.

    Progress is thinned to one line of a step every two seconds, and samples of the disk are shown only as the lowest
    point at a step's end.

    Args:
        monotonic: Seconds that only ever grow.
    """

    def __init__(self, stream: TextIO, *, monotonic: Callable[[], float]) -> None:
        super().__init__(stream, monotonic)
        self._said: dict[str, tuple[str, float]] = {}

    def show(self, event: Event) -> None:
        """Write one event, or nothing when it says nothing new."""
        with self._lock:
            line = self._line(event)
            if line:
                self._write(shortened(visible(visible_in_line(line))))

    def _line(self, event: Event) -> str:
        line = ""
        match event:
            case events.RunStarted():
                line = started_line(event.plan)
            case events.StepStarted():
                undo = "undo " if event.undo else ""
                line = f"[{event.index}/{event.total}] {undo}{event.step.name}: {what_changes(event.step)}"
            case events.StepProgress():
                line = self._progress_line(event)
            case events.StepLog():
                line = f"    {event.step} | {event.line}"
            case events.StepFinished():
                self._said.pop(event.outcome.name, None)
                line = finished_line(event.outcome)
            case events.RunFinished():
                line = ended_line(event.run)
            case events.Notice():
                line = f"warning: {event.text}" if event.level == "warning" else event.text
            case events.DiskSampled():
                pass
        return line

    def _progress_line(self, event: events.StepProgress) -> str:
        now = self._monotonic()
        text, said_at = self._said.get(event.step, ("", float("-inf")))
        if event.text == text or now - said_at < PROGRESS_EVERY_S:
            return ""
        self._said[event.step] = (event.text, now)
        return f"  {event.step}: {event.text}"


class QuietView(PlainView):
    """Writes warnings alone."""

    def _line(self, event: Event) -> str:
        return super()._line(event) if isinstance(event, events.Notice) and event.level == "warning" else ""


def started_line(plan: Plan) -> str:
    """Write that a run begins."""
    count = len(plan.steps)
    steps = {0: "nothing to do", 1: "1 step"}.get(count, f"{count} steps")
    if plan.seconds is not None and plan.steps:
        steps += f", ~{format_duration(plan.seconds)}"
    return (
        f"{plan.purpose} {plan.stack}: {steps}, {format_bytes(plan.available_bytes)} available on {plan.filesystem},"
        f" reserve {format_bytes(plan.reserve_bytes)}"
    )


def finished_line(outcome: StepOutcome) -> str:
    """Write how a step ended, forecast vs. measured."""
    line = f"  {outcome.name} {outcome.outcome} in {format_seconds(outcome.seconds)}"
    if outcome.measured:
        disk = outcome.measured[0]
        forecast = (
            "forecast unknown"
            if outcome.forecast_kept_bytes is None
            else f"forecast {change_text(outcome.forecast_kept_bytes)} {outcome.forecast_grade}"
        )
        line += (
            f": disk {change_text(disk.kept_bytes)} ({forecast}), temporary {format_bytes(disk.transient_bytes)},"
            f" lowest {format_bytes(disk.lowest_bytes)}"
        )
    if outcome.outcome is not Outcome.DONE and outcome.message:
        line += f": {outcome.message.splitlines()[0]}"
    return line


def ended_line(run: Run) -> str:
    """Write how a run ended."""
    return f"{run.purpose} {run.stack} {run.outcome} in {format_seconds(run.seconds)}"


class JsonLinesView(_LineView):
    """Writes each event as one line; events may come from several threads.

    Args:
        monotonic: Seconds that only ever grow; each line has those since the first one.
    """

    def __init__(self, stream: TextIO, *, monotonic: Callable[[], float]) -> None:
        super().__init__(stream, monotonic)
        self._began_s: float | None = None

    def show(self, event: Event) -> None:
        """Write one event."""
        form = event_form(event)
        with self._lock:
            now_s = self._monotonic()
            self._began_s = now_s if self._began_s is None else self._began_s
            self._write(json_text({**form, "at_s": round(now_s - self._began_s, 3)}))


class SeveralViews:
    """Hands each event to every view, in their order."""

    def __init__(self, *views: View) -> None:
        self._views = views

    def show(self, event: Event) -> None:
        """Show one event."""
        for view in self._views:
            view.show(event)
