"""Carries out the step of a plan that reclaims: the things that stand in it, until there is enough, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import EngineUnreachableError, StepFailedError
from tonnage.model.reclaim.candidate import Candidate, Findings, SharedBytes
from tonnage.model.reclaim.outcome import ReclaimChoice
from tonnage.runtime.reclaim.executor import carry_out
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from tonnage.adapters.interface import Cancel, EngineFacts, Progress
    from tonnage.model.deploy.plan import Plan, Reclaim, Reclaimable
    from tonnage.model.reclaim.outcome import Reclaimed, Removal
    from tonnage.runtime.clock import Clock
    from tonnage.runtime.reclaim.engine_removal import EngineRemoval


def reclaim_for_plan(
    action: Reclaim,
    plan: Plan,
    removal: EngineRemoval,
    *,
    facts: EngineFacts,
    progress: Progress,
    cancel: Cancel,
    clock: Clock,
) -> None:
    """Remove what the step names, until as much is available as it says.

    What cannot be removed stays and is told. When that leaves too little, the step that follows still begins: the
    guard stops it at the reserve.

    Raises:
        StepFailedError: It was stopped.
        EngineUnreachableError: The engine stops answering.
    """
    available_bytes = _available(facts, plan.filesystem)
    choice = ReclaimChoice(
        available_bytes=available_bytes,
        target_bytes=action.until_bytes,
        chosen=tuple(_candidate(item) for item in action.items),
        freed_bytes=sum(item.promised_bytes for item in action.items),
        findings=Findings(
            pieces=tuple(SharedBytes(item.promised_bytes, frozenset({item.candidate_id})) for item in action.items)
        ),
    )
    done = carry_out(
        choice,
        available=lambda: _available(facts, plan.filesystem),
        remove=removal.remove,
        on_begin=lambda candidate: progress.at(f"{candidate.kind} {candidate.name}"),
        on_end=lambda each: progress.log(_line(each)),
        cancel=cancel,
        clock=clock,
    )
    for message in removal.give_names_back():
        progress.log(message)
    _judge(done)


def _judge(done: Reclaimed) -> None:
    if done.stopped:
        raise StepFailedError("reclaiming was stopped", why=f"{len(done.removals)} things were removed before.")
    last = done.removals[-1].error if done.removals else None
    if isinstance(last, EngineUnreachableError):
        raise last


def _available(facts: EngineFacts, mount: str) -> int:
    disks = facts.filesystems()
    return next((disk.available_bytes for disk in disks if disk.mount == mount), disks[0].available_bytes)


def _candidate(item: Reclaimable) -> Candidate:
    return Candidate(
        candidate_id=item.candidate_id,
        kind=item.kind,
        name=item.name,
        unique_bytes=item.promised_bytes,
        cost_s=0.0,
        removal_s=0.0,
        reason="it stands in the plan",
        names=item.names,
    )


def _line(removal: Removal) -> str:
    name = f"{removal.candidate.kind} {removal.candidate.name}"
    if removal.error is not None:
        return f"skipped {name}: {removal.error.what}"
    return f"{name}: freed {format_bytes(removal.freed_bytes)} (expected {format_bytes(removal.promised_bytes)})"
