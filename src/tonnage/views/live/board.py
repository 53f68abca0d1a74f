"""What a live view shows, kept up to date by events: services with their current step, disks, the log's end.

Only keeps state; drawing is :mod:`tonnage.views.live.terminal`. Time arrives as an argument.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.model.deploy import event as events
from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from tonnage.model.deploy.event import Event
    from tonnage.model.deploy.plan import Plan

LOG_LINES = 200
WHOLE_STACK = "(stack)"

WAITING, RUNNING, DONE, FAILED, UNCHANGED, UNDONE = "waiting", "running", "done", "failed", "unchanged", "undone"


class Row(Struct, kw_only=True):
    """One service: where it is now.

    Args:
        state: One of the words above.
        since_s: When that step began, on the clock of the caller.
        seconds: What its finished steps took.
        steps_left: How many of its planned steps have not ended.
    """

    service: str
    state: str = WAITING
    step: str = ""
    text: str = ""
    since_s: float = 0.0
    seconds: float = 0.0
    steps_left: int = 0


class Disk(Struct, kw_only=True):
    """One filesystem, as it was sampled last, and the lowest that was seen."""

    mount: str
    size_bytes: int
    available_bytes: int
    reserve_bytes: int
    lowest_bytes: int


class Board(Struct):
    """The whole picture.

    Args:
        title: What runs: ``deploy hello``.
        started_s: When it began, on the clock of the caller.
        ended_s: When it ended; None while it runs.
        outcome: How it ended; empty while it runs.
        rows: Services in the order of their first step.
        disks: Filesystems, the data root's first.
        log: The end of what the programs of the steps that run printed; of several each line says whose it is.
        failure: How it failed: a word such as ``failed`` or ``stopped``.
        times: How long each step takes by earlier runs, in seconds; empty where that is not known of all.
        whole_s: How long all of them take where some are made at once; None where each is done in turn.
    """

    title: str = ""
    started_s: float = 0.0
    ended_s: float | None = None
    outcome: str = ""
    index: int = 0
    total: int = 0
    rows: dict[str, Row] = field(default_factory=dict)
    disks: dict[str, Disk] = field(default_factory=dict)
    log: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    failed_step: str = ""
    failure: str = ""
    stopping: bool = False
    times: dict[str, float] = field(default_factory=dict)
    whole_s: float | None = None
    _began: dict[str, float] = field(default_factory=dict)
    _service_of: dict[str, str] = field(default_factory=dict)
    _running: set[str] = field(default_factory=set)

    def take(self, event: Event, now_s: float) -> None:
        """Bring the picture up to date."""
        match event:
            case events.RunStarted():
                self._begin(event.plan, now_s)
            case events.StepStarted():
                self._step_started(event, now_s)
            case events.StepProgress():
                self._row(event.step).text = event.text
            case events.StepLog():
                self.log.append(f"{event.step} | {event.line}" if len(self._running) > 1 else event.line)
            case events.DiskSampled():
                self._sampled(event)
            case events.StepFinished():
                self._step_finished(event)
            case events.RunFinished():
                self.outcome = str(event.run.outcome)
                self.ended_s = now_s
            case events.Notice():
                pass

    def left_s(self, now_s: float) -> float | None:
        """Return how long the rest takes by earlier runs; None where that is not known."""
        if not self.times or self.failed_step or self.ended_s is not None:
            return None
        if self.whole_s is not None:
            return max(0.0, self.whole_s - (now_s - self.started_s))
        begun = {name: now_s - since_s for name, since_s in self._began.items()}
        return sum(max(0.0, seconds - begun.get(name, 0.0)) for name, seconds in self.times.items())

    def _begin(self, plan: Plan, now_s: float) -> None:
        self.title = f"{plan.purpose} {plan.stack}"
        self.started_s = now_s
        self.total = len(plan.steps)
        if plan.seconds is not None:
            self.times = dict(plan.times)
            self.whole_s = plan.seconds if plan.policy.parallel > 1 else None
        for step in plan.steps:
            service = step.service or WHOLE_STACK
            self._service_of[step.name] = service
            row = self.rows.setdefault(service, Row(service=service))
            row.steps_left += 1
        for each in plan.unchanged:
            self.rows.setdefault(each.service, Row(service=each.service, state=UNCHANGED, text=each.reason))

    def _row(self, step: str) -> Row:
        service = self._service_of.get(step, WHOLE_STACK)
        return self.rows.setdefault(service, Row(service=service))

    def _step_started(self, event: events.StepStarted, now_s: float) -> None:
        step = event.step
        service = step.service or WHOLE_STACK
        self._service_of[step.name] = service
        if not self._running:
            self.log.clear()
        self._running.add(step.name)
        self._began[step.name] = now_s
        if not event.undo:
            # Where images are built before their turn, the highest number is not how far the run has come.
            self.index, self.total = min(self.index + 1, event.total), event.total
        row = self._row(step.name)
        row.state = UNDONE if event.undo else RUNNING
        name = step.name.removeprefix(f"{service}.")
        row.step = f"undo {name.removeprefix('undo-')}" if event.undo else name
        row.text = ""
        row.since_s = now_s

    def _step_finished(self, event: events.StepFinished) -> None:
        outcome = event.outcome
        self._running.discard(outcome.name)
        self.times.pop(outcome.name, None)
        row = self._row(outcome.name)
        row.seconds += outcome.seconds
        row.text = ""
        for measured in outcome.measured:
            if measured.mount in self.disks:
                disk = self.disks[measured.mount]
                disk.lowest_bytes = min(disk.lowest_bytes, measured.lowest_bytes)
        if outcome.undo:
            row.state = FAILED
            # What people look for afterwards is what failed, not the last thing that was done about it.
            row.step = self.failed_step.removeprefix(f"{row.service}.")
            row.text = f"{self.failure}, {'undone' if outcome.outcome is Outcome.DONE else 'not undone'}"
            return
        row.steps_left = max(0, row.steps_left - 1)
        if outcome.outcome is Outcome.DONE:
            # The next step of a service comes at once, but where others still run.
            row.state = (WAITING if self._running else RUNNING) if row.steps_left else DONE
            return
        if outcome.outcome is not Outcome.SKIPPED:
            row.state = FAILED
            row.text = str(outcome.outcome)
            self.failed_step, self.failure = outcome.name, row.text

    def _sampled(self, event: events.DiskSampled) -> None:
        known = self.disks.get(event.mount)
        lowest_bytes = event.available_bytes if known is None else min(known.lowest_bytes, event.available_bytes)
        self.disks[event.mount] = Disk(
            mount=event.mount,
            size_bytes=event.size_bytes,
            available_bytes=event.available_bytes,
            reserve_bytes=event.reserve_bytes,
            lowest_bytes=lowest_bytes,
        )
