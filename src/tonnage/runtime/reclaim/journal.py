"""Writes a reclaim into the journal as far as that is possible: on a full disk it goes on without it."""

from __future__ import annotations

from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Self

from tonnage.errors import TonnageError
from tonnage.model.deploy.plan import Plan, Purpose, Reclaim, Reclaimable, Step
from tonnage.model.deploy.run import Measured, Outcome, StepOutcome
from tonnage.model.forecast.estimate import Estimate, Grade
from tonnage.runtime.journal.writer import Journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tonnage.model.inventory import Inventory
    from tonnage.model.reclaim.candidate import Candidate
    from tonnage.model.reclaim.outcome import ReclaimChoice, Reclaimed, Removal
    from tonnage.runtime.clock import Clock


class ReclaimJournal:
    """The journal of one reclaim; a context manager.

    Nothing waits for it: that a line is safely on the disk takes longest while much is removed from that very disk. So
    a thread writes, line after line, and only the end waits for it. Nobody goes on from these lines later: what is
    still there is found by looking.

    Args:
        inventory: What the engine told; None when it does not answer.
    """

    def __init__(
        self, path: Path, mount: str, inventory: Inventory | None, choice: ReclaimChoice, clock: Clock
    ) -> None:
        self._path = path
        self._clock = clock
        self._choice = choice
        self._mount = mount
        self._engine = inventory.engine if inventory is not None else None
        self._journal: Journal | None = None
        self._run_id = 0
        self._step_id = 0
        self._began_s = clock.monotonic()
        self._lines: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._writer = Thread(target=self._write, name="journal")
        self._failure: BaseException | None = None
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        """Write that it begins."""
        began_s = self._clock.time()
        self._lines.put(lambda: self._open(began_s))
        self._writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close, when all is written."""
        self._end_writing()
        if self._journal is not None:
            self._journal.close()

    def begin(self, candidate: Candidate) -> None:
        """Write that a removal begins."""
        began_s = self._clock.time()
        self._lines.put(lambda: self._begin(candidate, began_s))

    def end(self, removal: Removal) -> None:
        """Write what came of it."""
        self._lines.put(lambda: self._end(removal))

    def finish(self, done: Reclaimed) -> None:
        """Write how it ended, and wait until all is written."""
        seconds = self._clock.monotonic() - self._began_s
        self._lines.put(lambda: self._finish(done, seconds))
        self._end_writing()
        if self._failure is not None:
            raise self._failure

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                line()
            except BaseException as failure:  # noqa: BLE001 - raised again where the end is waited for
                self._failure = failure
                return

    def _end_writing(self) -> None:
        self._lines.put(None)
        self._writer.join()

    def _open(self, began_s: float) -> None:
        engine = self._engine
        plan = Plan(
            stack="",
            directory="",
            purpose=Purpose.RECLAIM,
            engine_id=engine.engine_id if engine else "",
            endpoint=engine.endpoint if engine else "",
            fingerprint="",
            filesystem=self._mount,
            available_bytes=self._choice.available_bytes,
            reserve_bytes=self._choice.target_bytes,
        )
        try:
            self._journal = Journal(self._path)
            self._run_id = self._journal.begin_run(plan, began_s)
        except TonnageError as error:
            self._give_up(error)

    def _begin(self, candidate: Candidate, began_s: float) -> None:
        if self._journal is not None:
            self._step_id = self._journal.begin_step(self._run_id, _step(candidate), undo=False, started_s=began_s)

    def _end(self, removal: Removal) -> None:
        if self._journal is None:
            return
        measured = Measured(
            mount=self._mount,
            before_bytes=removal.before_bytes,
            after_bytes=removal.after_bytes,
            lowest_bytes=min(removal.before_bytes, removal.after_bytes),
            samples=2,
        )
        outcome = StepOutcome(
            name=_step(removal.candidate).name,
            service="",
            kind="reclaim",
            outcome=Outcome.DONE if removal.error is None else Outcome.FAILED,
            seconds=removal.seconds,
            measured=(measured,),
            forecast_kept_bytes=-removal.promised_bytes,
            forecast_grade=Grade.DECLARED.value,
            message="" if removal.error is None else str(removal.error),
        )
        self._journal.end_step(self._step_id, outcome)

    def _finish(self, done: Reclaimed, seconds: float) -> None:
        if self._journal is None:
            return
        outcome = Outcome.DONE if done.enough else Outcome.INTERRUPTED if done.stopped else Outcome.FAILED
        message = "" if done.enough else f"{done.target_bytes - done.available_bytes} B are missing"
        self._journal.end_run(self._run_id, outcome, seconds, message)
        self.notes += [notice.text for notice in self._journal.take_notices()]

    def _give_up(self, error: TonnageError) -> None:
        if self._journal is not None:
            self._journal.close()
        self._journal = None
        self.notes.append(f"the journal does not tell of this: {error.what}")


def _step(candidate: Candidate) -> Step:
    item = Reclaimable(
        candidate_id=candidate.candidate_id, kind=candidate.kind, name=candidate.name, names=candidate.names
    )
    kept_bytes = -candidate.unique_bytes
    return Step(
        name=f"reclaim.{candidate.candidate_id.kind}.{candidate.candidate_id.key}",
        action=Reclaim(items=(item,), until_bytes=0),
        cause=candidate.reason,
        changes=f"removes the {candidate.kind} {candidate.name}",
        kept=Estimate(kept_bytes, kept_bytes, kept_bytes, Grade.DECLARED),
    )
