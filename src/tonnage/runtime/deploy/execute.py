"""Carries a plan out, step by step, measures around each step and keeps the journal. It decides nothing.

Images may be built or pulled before their turn (:mod:`tonnage.runtime.deploy.builds_ahead`); all else is done in turn.
When a step fails, or a signal or the reserve stops it, its own undo steps run and the run ends. Undo steps cannot be
interrupted by the same signal again: they are what leaves things tidy.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

from tonnage.decide.deploy.expectations import line_of
from tonnage.decide.guard.disk_check import guarded_inodes
from tonnage.errors import CacheUnknownError, CannotFitError, InterruptedRunError, ReserveCrossedError, TonnageError
from tonnage.model.deploy.event import DiskSampled, Notice, RunFinished, RunStarted, StepFinished, StepStarted
from tonnage.model.deploy.plan import (
    Adopt,
    Build,
    CleanCache,
    Keep,
    Prove,
    Reclaim,
    RemoveContainer,
    RemoveImage,
    RemoveService,
    Rename,
    Tag,
    Untag,
)
from tonnage.model.deploy.renewal import RemoveNetworks
from tonnage.model.deploy.rolling import Connect, Drain, Retire
from tonnage.model.deploy.run import Outcome, Run, StepOutcome
from tonnage.model.inventory import CONTAINERD
from tonnage.runtime.deploy.beside import Beside
from tonnage.runtime.deploy.builds_ahead import BuildsAhead, GaveWayError
from tonnage.runtime.deploy.disk_curve import DiskCurve
from tonnage.runtime.deploy.endings import crossed, done_before, outcome_of, undone_before, with_trouble
from tonnage.runtime.deploy.instruction_meter import InstructionMeter, MeteredProgress, with_layers
from tonnage.runtime.deploy.perform import as_it_runs, perform
from tonnage.runtime.deploy.sampler import ReserveGuard, Sampler
from tonnage.runtime.deploy.shared_bases import forgiven, on_what_is_there, without_what_was_not_found
from tonnage.runtime.guard.pause import BuildPause
from tonnage.runtime.guard.unable import NothingFreezes
from tonnage.runtime.ledger import ALONE
from tonnage.runtime.signals import EitherSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.adapters.interface import Cancel, EngineActs, EngineFacts, Gauge, StepGroups
    from tonnage.model.deploy.event import Event
    from tonnage.model.deploy.plan import Plan, Step
    from tonnage.model.deploy.run import Measured
    from tonnage.runtime.clock import Clock
    from tonnage.runtime.guard.brake import Brakes
    from tonnage.runtime.guard.pause import MakeRoom
    from tonnage.runtime.journal.writer import Journal
    from tonnage.runtime.ledger import Ledger

# What only frees or renames may go on below the reserve.
_REMOVING = (CleanCache, Reclaim, RemoveContainer, RemoveImage, RemoveNetworks, RemoveService)
_HARMLESS = (*_REMOVING, Adopt, Keep, Rename, Tag, Untag, Connect, Drain, Retire)
# What settles the step before it still runs after a signal: a proof, or a wait, ends at once and is undone.
_SETTLING = (Keep, Prove, RemoveContainer, Untag, Connect, Drain, Retire)
_GUARDED_ROLES = frozenset({"data-root", "containerd"})
_SHOWN_EVERY_S = 0.2


def execute(
    plan: Plan,
    *,
    facts: EngineFacts,
    acts: EngineActs,
    gauge: Gauge,
    journal: Journal,
    emit: Callable[[Event], None],
    cancel: threading.Event,
    clock: Clock,
    ledger: Ledger = ALONE,
    groups: StepGroups | None = None,
    make_room: MakeRoom | None = None,
    brakes: Brakes | None = None,
) -> Run:
    """Carry a plan out.

    Args:
        plan: One with a refusal is not begun.
        facts: Reads. What changes is ``acts``.
        gauge: Available bytes of every filesystem that is written.
        journal: Where the run and each step are written, before and after.
        emit: Is given every event, from more than one thread.
        cancel: Set by a signal: the running step is ended and undone, the rest is left.
        clock: Time.
        ledger: Where runs of other stacks tell what they may still write.
        groups: The control groups of the engine's build steps; None where they are not frozen at the reserve.
        make_room: Reclaims while they are; None where nothing may go.
        brakes: What there is for having the engine itself stand still; None where it must not.

    Returns:
        The run; a failure stands in its ``error``, nothing is raised for it.

    Raises:
        CannotFitError: The plan has a refusal: it must not be executed.
        EngineUnreachableError: The engine did not answer before the first step.
    """
    if plan.refusal is not None:
        raise CannotFitError(plan.refusal.what, why=plan.refusal.why, todo=plan.refusal.todo)
    return _Execution(plan, facts, acts, gauge, journal, emit, cancel, clock, ledger, groups, make_room, brakes).run()


class _Execution:
    """One run: owns the sampler and the guard while it lasts."""

    def __init__(
        self,
        plan: Plan,
        facts: EngineFacts,
        acts: EngineActs,
        gauge: Gauge,
        journal: Journal,
        emit: Callable[[Event], None],
        cancel: threading.Event,
        clock: Clock,
        ledger: Ledger,
        groups: StepGroups | None,
        make_room: MakeRoom | None,
        brakes: Brakes | None,
    ) -> None:
        self._plan = plan
        self._beside = Beside(plan, ledger, clock)
        self._facts = facts
        self._acts = acts
        self._journal = journal
        self._emit = emit
        self._cancel = cancel
        self._clock = clock
        self._at_line = threading.Event()
        self._disks = {disk.mount: disk for disk in facts.filesystems()}
        self._lines = {mount: line_of(disk, plan) for mount, disk in self._disks.items()}
        guarded = {mount: self._lines[mount] for mount, disk in self._disks.items() if _GUARDED_ROLES & set(disk.roles)}
        self._pause = BuildPause(
            groups or NothingFreezes(),
            guarded,
            make_room=make_room,
            tell=lambda text: emit(Notice(text=text)),
            cancel=cancel,
            brakes=brakes,
        )
        self._guard = ReserveGuard(
            guarded, self._at_line, holds=lambda: self._pause.holds, reserve_inodes=guarded_inodes(self._disks)
        )
        self._meters: dict[str, InstructionMeter] = {}
        self._available_bytes = plan.available_bytes
        apart = plan.policy.parallel > 1 and facts.engine().image_store == CONTAINERD
        self._ahead = BuildsAhead(plan, plan.policy.parallel, self._attempt_ahead, self._room, apart=apart)
        self._leave = threading.Event()
        self._shown_s = 0.0
        self._curve = DiskCurve()
        self._gauge = gauge
        self._sampler = Sampler(gauge, on_sample=self._on_sample, quick=lambda: self._pause.quick)
        left = journal.left_cache(plan.stack, plan.engine_id)
        # What earlier runs left that came to nothing goes with what this one leaves.
        self._cache_before: frozenset[str] | None = None
        with contextlib.suppress(CacheUnknownError):
            self._cache_before = frozenset(record.record_id for record in facts.cache()) - left
        self._builds = any(isinstance(step.action, Build) for step in plan.steps)
        self._outcomes: list[StepOutcome] = []
        self._run_id = 0

    def run(self) -> Run:
        plan, clock = self._plan, self._clock
        started_s, began = clock.time(), clock.monotonic()
        self._run_id = self._journal.begin_run(plan, started_s)
        if self._builds and self._cache_before is not None:
            self._journal.begin_cache(self._run_id, plan, self._cache_before, started_s)
        self._emit(RunStarted(plan=plan, run_id=self._run_id))
        error: TonnageError | None = None
        self._sampler.start()
        try:
            for index, step in enumerate(plan.steps, start=1):
                error = self._stopped_before(step) or self._do(step, index, len(plan.steps))
                if error is not None:
                    break
            self._stop_ahead(error)
        except BaseException:
            self._journal.end_run(self._run_id, Outcome.INTERRUPTED, clock.monotonic() - began, "ended from outside")
            raise
        finally:
            self._leave.set()
            self._ahead.stop()
            self._pause.close()
            self._sampler.stop()
            self._journal.record_curve(self._run_id, self._curve.points())
        seconds = clock.monotonic() - began
        outcome = outcome_of(error)
        message = str(error) if error else ""
        if self._builds and self._cache_before is not None:
            self._remember_cache(self._cache_before, good=error is None)
        self._journal.end_run(self._run_id, outcome, seconds, message)
        run = Run(
            run_id=self._run_id, stack=plan.stack, engine_id=plan.engine_id, purpose=plan.purpose,
            started_s=started_s, seconds=seconds, outcome=outcome, filesystem=plan.filesystem,
            reserve_bytes=plan.reserve_bytes, steps=tuple(self._outcomes), message=message, error=error, plan=plan,
        )  # fmt: skip
        self._emit(RunFinished(run=run))
        return run

    def _remember_cache(self, before: frozenset[str], *, good: bool) -> None:
        """Write down what a run leaves in the build cache that came to nothing, for a later one to remove."""
        cleans = any(isinstance(step.action, CleanCache) for step in self._plan.steps)
        if good and not cleans:
            self._journal.end_cache(self._run_id, self._plan, ())
            return
        with contextlib.suppress(TonnageError):
            # What is in use after a good run is another build's; after one that was stopped it may be its own.
            left = {
                record.record_id for record in self._facts.cache() if not record.shared and not (good and record.in_use)
            } - before
            self._journal.end_cache(self._run_id, self._plan, left if left or not good else None)

    def _stopped_before(self, step: Step) -> TonnageError | None:
        if not self._cancel.is_set() or isinstance(step.action, _SETTLING):
            return None
        trouble = self._undo(step, undone_before(step))
        return with_trouble(
            InterruptedRunError(signal.SIGINT, f"stopped before {step.name}; {done_before(self._outcomes)}"), trouble
        )

    def _do(self, step: Step, index: int, total: int) -> TonnageError | None:
        stops = EitherSet(self._cancel, self._at_line)
        error = self._ahead.carry_out(index - 1, lambda: self._attempt(step, index, total, undo=False, cancel=stops))
        if alone := without_what_was_not_found(step, error, self._cancel, self._emit):
            error = self._attempt(alone, index, total, undo=False, cancel=stops)
        error = forgiven(step, error, self._cancel, self._emit)
        if error is None:
            return self._record_version(step)
        was_crossed = self._guard.crossed
        # Where there is no line the disk itself is one: a step that filled it gives back just the same.
        at_reserve = step.at_reserve if isinstance(error, ReserveCrossedError) else ()
        trouble = self._undo(step, (*at_reserve, *step.on_failure))
        if self._cancel.is_set() and was_crossed is None:
            error = InterruptedRunError(signal.SIGINT, f"stopped in {step.name}; {done_before(self._outcomes)}")
        return with_trouble(error, trouble)

    def _attempt_ahead(self, step: Step, index: int) -> TonnageError | None:
        stops = EitherSet(EitherSet(self._cancel, self._at_line), self._leave)
        with self._guard.gives_way() as way:
            cancel = EitherSet(stops, way)
            error = self._attempt(step, index, len(self._plan.steps), undo=False, cancel=cancel, ahead=True)
            if error is None or not way.is_set() or stops.is_set():
                return error
            self._emit(Notice(text=f"{step.name} stopped at the reserve for what began before it; done in its turn"))
            trouble = self._undo(step, (*step.at_reserve, *step.on_failure))
        return with_trouble(error, trouble) if trouble else GaveWayError(step.name)

    def _stop_ahead(self, error: TonnageError | None) -> None:
        """End what was begun before its turn and will have none; what is done of it is there for the next run."""
        self._leave.set()
        stopped = self._ahead.stop()
        for step, failure in stopped:
            at_reserve = step.at_reserve if isinstance(failure, ReserveCrossedError) else ()
            self._undo(step, [*at_reserve, *step.on_failure])
        if stopped and error is not None:
            error.what += f"; stopped with it: {', '.join(step.name for step, _ in stopped)}"

    def _room(self) -> tuple[int, int]:
        """Return what is available now, nothing while a build is paused for want of it, and what must remain."""
        available_bytes = 0 if self._pause.is_pausing else self._available_bytes
        return available_bytes, self._plan.reserve_bytes + self._beside.claimed_bytes()

    def _undo(self, step: Step, undo: Sequence[Step]) -> list[TonnageError]:
        trouble, failed = list[TonnageError](), set[str]()
        for number, each in enumerate(undo, start=1):
            # What did not become healthy again is not written down as good.
            if isinstance(each.action, Keep) and each.service in failed:
                continue
            if (failure := self._attempt(each, number, len(undo), undo=True, cancel=threading.Event())) is not None:
                trouble.append(failure)
                failed.add(each.service)
        if trouble:
            self._emit(Notice(text=f"undoing {step.name} failed in part: {trouble[0].what}", level="warning"))
        return trouble

    def _attempt(
        self, step: Step, index: int, total: int, *, undo: bool, cancel: Cancel, ahead: bool = False
    ) -> TonnageError | None:
        clock, began = self._clock, self._clock.monotonic()
        step = on_what_is_there(step, self._facts, self._emit)
        step_id = self._journal.begin_step(self._run_id, step, undo=undo, started_s=clock.time())
        self._emit(StepStarted(step=step, index=index, total=total, undo=undo))
        error: TonnageError | None = None
        measured: tuple[Measured, ...] = ()
        interval = None
        meter = self._meters[step.name] = InstructionMeter(self._plan.filesystem)
        try:
            if not ahead:
                self._beside.begin(0 if undo else index)
            interval = self._sampler.begin()
            meter.begin()
            if not undo and not isinstance(step.action, _HARMLESS):
                self._guard.arm(step.name)
            with self._pause.watching(step):
                perform(
                    step,
                    self._plan,
                    facts=self._facts,
                    acts=self._acts,
                    progress=MeteredProgress(step.name, self._emit, meter),
                    cancel=cancel,
                    clock=clock,
                    cache_before=self._cache_before,
                    ledger=self._beside.ledger,
                )
            self._record_instructions(step, step_id, meter, alone=not interval.shared and self._beside.is_alone)
        except TonnageError as failure:
            error = failure
        finally:
            self._guard.disarm(step.name)
            self._meters.pop(step.name, None)
        try:
            ended = self._sampler.end(interval) if interval is not None else ()
            measured = self._beside.marked(tuple(sorted(ended, key=lambda each: each.mount != self._plan.filesystem)))
        except TonnageError as lost:
            # The step is over, but nobody knows what it did to the disk: that must not pass for a measured figure.
            error = error or lost
        if not undo and self._guard.crossed is not None:
            error = crossed(step, self._guard, self._lines, self._beside.told(), error)
        stopped = self._cancel.is_set() or (ahead and cancel.is_set() and self._guard.crossed is None)
        outcome = StepOutcome(
            name=step.name,
            service=step.service,
            kind=str(type(step.action).__struct_config__.tag),
            outcome=Outcome.INTERRUPTED if error and stopped and not undo else outcome_of(error),
            seconds=clock.monotonic() - began,
            measured=measured,
            forecast_kept_bytes=step.kept.told_bytes,
            forecast_grade=step.kept.grade.value,
            message=str(error) if error else "",
            log=error.log if error else "",
            undo=undo,
            forecast_kept=step.kept,
            forecast_transient=step.transient,
        )
        self._journal.end_step(step_id, outcome)
        for notice in self._journal.take_notices():
            self._emit(notice)
        self._outcomes.append(outcome)
        self._show({each.mount: each.after_bytes for each in measured})
        self._emit(StepFinished(outcome=outcome))
        return error

    def _record_instructions(self, step: Step, step_id: int, meter: InstructionMeter, *, alone: bool) -> None:
        if isinstance(step.action, Build) and step.instructions:
            seen = meter.end(step.instructions, alone=alone)
            seen, image_id = with_layers(step.instructions, seen, self._facts, step.action.reference)
            self._journal.record_instructions(step_id, step.instructions, seen, image_id)

    def _record_version(self, step: Step) -> TonnageError | None:
        stack, engine_id = self._plan.stack, self._plan.engine_id
        try:
            if (version := as_it_runs(step, stack, self._facts, self._clock)) is not None:
                self._journal.record_version(stack, engine_id, version, version.proven_s)
            for gone in step.withdraw:
                self._journal.withdraw_version(stack, engine_id, gone, self._clock.time())
        except TonnageError as lost:
            return lost
        return None

    def _on_sample(self, available: Mapping[str, int]) -> None:
        self._pause.sample(available)
        self._sampler.share(others=self._pause.makes_room)
        self._guard.sample(available)
        self._guard.sample_inodes(self._gauge.inodes())
        self._available_bytes = available.get(self._plan.filesystem, self._available_bytes)
        for meter in list(self._meters.values()):
            meter.sample(available)
        now = self._clock.monotonic()
        self._curve.sample(now, self._available_bytes)
        if now - self._shown_s >= _SHOWN_EVERY_S:
            self._shown_s = now
            self._beside.sample()
            self._show(available)

    def _show(self, available: Mapping[str, int]) -> None:
        for mount, count in available.items():
            disk = self._disks.get(mount)
            if disk is not None:
                self._emit(
                    DiskSampled(
                        mount=mount,
                        available_bytes=count,
                        size_bytes=disk.size_bytes,
                        reserve_bytes=self._lines[mount],
                    )
                )
