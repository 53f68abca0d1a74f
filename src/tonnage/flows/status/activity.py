"""What goes on while somebody looks: which runs are at work on the engine, and how fast its disks fill."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING

from tonnage.errors import TonnageError
from tonnage.flows.state import opened_journal
from tonnage.model.deploy.run import Outcome
from tonnage.model.reports.activity import RunAtWork, trend_between

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.flows.ports import EnginePorts
    from tonnage.model.deploy.run import OtherRun, Run
    from tonnage.model.inventory import Engine, Filesystem
    from tonnage.model.reports.activity import Trend

_WINDOW_S = 60.0
_SHORTEST_S = 2.0
_SHORTEST_SINCE_RUN_S = 60.0
_RUNS = 20


def runs_at_work(ports: EnginePorts, engine: Engine) -> tuple[RunAtWork, ...]:
    """Return the runs on an engine that go on now, of whichever stack and user; none where that cannot be seen."""
    found: Sequence[OtherRun] = ()
    with contextlib.suppress(TonnageError, OSError):
        found = ports.engines.ledger(engine, "").others()
    if not found:
        return ()
    known = {run.stack: run for run in reversed(_journalled(ports)) if run.engine_id == engine.engine_id}
    return tuple(_at_work(each, known.get(each.stack), ports.clock.time()) for each in found)


def since_last_run(ports: EnginePorts, engine: Engine, disks: Sequence[Filesystem]) -> dict[str, Trend]:
    """Return how filesystems changed since the last run on this engine ended, by mount; none while one goes on."""
    last = next((run for run in _journalled(ports) if run.engine_id == engine.engine_id), None)
    if last is None or last.outcome is Outcome.RUNNING:
        return {}
    seconds = ports.clock.time() - (last.started_s + last.seconds)
    after = {each.mount: each.after_bytes for step in last.steps for each in step.measured}
    found: dict[str, Trend] = {}
    for disk in disks:
        if disk.mount in after:
            since = f"run {last.run_id}"
            before_bytes, now_bytes = after[disk.mount], disk.available_bytes
            trend = trend_between(before_bytes, now_bytes, seconds, shortest_s=_SHORTEST_SINCE_RUN_S, since=since)
            found |= {disk.mount: trend} if trend is not None else {}
    return found


class RecentLooks:
    """Remembers what was available at the looks of the last minute."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[tuple[float, int]]] = {}

    def take(self, now_s: float, available: Mapping[str, int]) -> dict[str, Trend]:
        """Take a look, and return how each filesystem changed since the oldest that is remembered.

        Args:
            now_s: Seconds that only ever grow.
            available: Available bytes by mount.
        """
        found: dict[str, Trend] = {}
        for mount, available_bytes in available.items():
            seen = self._seen.setdefault(mount, deque())
            seen.append((now_s, available_bytes))
            while now_s - seen[0][0] > _WINDOW_S:
                seen.popleft()
            first_s, first_bytes = seen[0]
            trend = trend_between(first_bytes, available_bytes, now_s - first_s, shortest_s=_SHORTEST_S)
            if trend is not None:
                found[mount] = trend
        return found


def _journalled(ports: EnginePorts) -> tuple[Run, ...]:
    with contextlib.suppress(TonnageError), opened_journal(ports.environment) as journal:
        return journal.runs(_RUNS) if journal is not None else ()
    return ()


def _at_work(other: OtherRun, run: Run | None, now_s: float) -> RunAtWork:
    if run is None or run.outcome is not Outcome.RUNNING:
        return RunAtWork(run=other)
    step = next((each.name for each in reversed(run.steps) if each.outcome is Outcome.RUNNING), "")
    return RunAtWork(run=other, step=step, seconds=max(0.0, now_s - run.started_s))
