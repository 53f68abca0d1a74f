"""Puts steps that reclaim into a plan: right before the step that would cross the reserve, as much as it needs.

Only things of the engine go that can be had again, and none that this stack has or names: those have steps of their
own. A plan that does not fit even so is refused as if nothing could be reclaimed, so that nothing is removed for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.deploy.expectations import claimed_bytes, freed, why_not_fit
from tonnage.decide.deploy.named_images import images_named
from tonnage.decide.deploy.verdict import with_need
from tonnage.decide.reclaim.choice import decide, freed_in_turn
from tonnage.decide.reclaim.engine_candidates import engine_findings
from tonnage.decide.reclaim.irreplaceable import replaceable
from tonnage.errors import CannotReclaimError
from tonnage.model.deploy.image_names import LABEL_STACK
from tonnage.model.deploy.plan import Reclaim, Reclaimable, Step
from tonnage.model.forecast.estimate import Estimate, Grade, exactly
from tonnage.model.reclaim.candidate import Findings, Root
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.deploy.plan import Plan, Refusal
    from tonnage.model.deploy.run import OtherRun
    from tonnage.model.inventory import Filesystem, Inventory
    from tonnage.model.reclaim.outcome import ReclaimChoice
    from tonnage.model.stack import Stack

_NAMED = 3
"""Things that a step names before it only counts the others."""


class Fitted(Struct, frozen=True):
    """Steps that fit, or why they do not."""

    steps: tuple[Step, ...]
    refusal: Refusal | None


def needs_reclaim(plan: Plan, others: Sequence[OtherRun] = ()) -> bool:
    """Return whether a step of a plan without reclaiming may cross the reserve: only then others' needs matter.

    Args:
        others: Runs that may still write to the same disk.
    """
    remains = plan.reserve_bytes + claimed_bytes(others)
    before = exactly(plan.available_bytes)
    for place, step in enumerate(plan.steps):
        if _needed_bytes(step, before, remains, first=place == 0) > before.low_bytes:
            return True
        before = step.available_after
    return False


def with_reclaim_steps(plan: Plan, stack: Stack, inventory: Inventory) -> Plan:
    """Return a plan that was made without reclaiming with the steps that reclaim, where it would cross the reserve."""
    spare = spare_things(inventory, stack, plan.steps)
    disk, others = inventory.filesystems[0], inventory.others
    fitted = fitted_by_reclaiming(plan.steps, spare, disk, plan.reserve_bytes, others)
    removable = tuple(each.candidate_id for each in spare.candidates)
    return with_need(replace(plan, steps=fitted.steps, refusal=fitted.refusal, removable=removable))


def spare_things(inventory: Inventory, stack: Stack, steps: Sequence[Step]) -> Findings:
    """Return what of the engine may go for a plan."""
    if inventory.needs is None or not steps:
        return Findings()
    reason = f"the stack {stack.name} is about to need it"
    names = list(images_named(steps))
    names += [service.image for service in stack.services]
    names += [inputs.base_reference for inputs in inventory.inputs]
    names += [image.image_id for image in inventory.images if image.labels.get(LABEL_STACK) == stack.name]
    needs = replace(inventory.needs, images=(*inventory.needs.images, *(Root(name, reason) for name in names if name)))
    try:
        return replaceable(engine_findings(inventory, needs), inventory)
    except CannotReclaimError:
        return Findings()


def fitted_by_reclaiming(
    steps: tuple[Step, ...],
    spare: Findings,
    disk: Filesystem,
    reserve_bytes: int,
    others: Sequence[OtherRun] = (),
) -> Fitted:
    """Return the steps with reclaiming where the reserve would be crossed.

    Args:
        others: Runs that may still write to the same disk.
    """
    refusal = why_not_fit(
        steps,
        available_bytes=disk.available_bytes,
        reserve_bytes=reserve_bytes,
        filesystem=disk.mount,
        others=others,
    )
    with_them = _with_reclaims(steps, spare, disk.available_bytes, reserve_bytes + claimed_bytes(others))
    if len(with_them) == len(steps):
        return Fitted(steps, refusal)
    first = (
        with_them[0].available_after.likely_bytes if isinstance(with_them[0].action, Reclaim) else disk.available_bytes
    )
    # A step that only gives back may run below the reserve.
    taking = [step for step in with_them if not isinstance(step.action, Reclaim)]
    still = why_not_fit(
        taking, available_bytes=first, reserve_bytes=reserve_bytes, filesystem=disk.mount, others=others
    )
    if still is None:
        return Fitted(with_them, None)
    gained = format_bytes(sum(-step.kept.likely_bytes for step in with_them if isinstance(step.action, Reclaim)))
    why = f"{still.why} That is with the {gained} that may be reclaimed on this engine."
    return Fitted(steps, replace(still, why=why))


def _with_reclaims(
    steps: Sequence[Step], spare: Findings, available_bytes: int, reserve_bytes: int
) -> tuple[Step, ...]:
    done: list[Step] = []
    before, gained_bytes = exactly(available_bytes), 0
    for place, step in enumerate(steps):
        needed_bytes = _needed_bytes(step, before, reserve_bytes, first=place == 0)
        missing_bytes = needed_bytes - before.low_bytes - gained_bytes
        if missing_bytes > 0:
            choice = decide(spare, available_bytes=0, target_bytes=missing_bytes)
            if choice.chosen:
                number = 1 + sum(isinstance(each.action, Reclaim) and each.service == step.service for each in done)
                done.append(_reclaim(choice, step, before, gained_bytes, needed_bytes, number))
                gained_bytes += choice.freed_bytes
                spare = _without(spare, choice)
        done.append(_raised(step, gained_bytes))
        before = step.available_after
    return tuple(done)


def _needed_bytes(step: Step, before: Estimate, reserve_bytes: int, *, first: bool) -> int:
    """Return what has to be available when a step begins, at worst; 0 where that is not known, or it only gives back.

    Before the first step that takes something it is the reserve at least.
    """
    gives_back = step.kept.known and step.kept.high_bytes <= 0 and step.transient.high_bytes == 0
    if gives_back or not before.known or not (step.available_lowest.known or first):
        return 0
    taken_bytes = before.low_bytes - step.available_lowest.low_bytes if step.available_lowest.known else 0
    return reserve_bytes + taken_bytes


def _reclaim(
    choice: ReclaimChoice, step: Step, before: Estimate, gained_bytes: int, until_bytes: int, number: int
) -> Step:
    begun = _plus(before, gained_bytes)
    given = freed_in_turn(choice.findings.pieces, [each.candidate_id for each in choice.chosen])
    items = [
        Reclaimable(
            candidate_id=each.candidate_id,
            kind=each.kind,
            name=each.name,
            names=each.names,
            promised_bytes=promised_bytes,
        )
        for each, promised_bytes in zip(choice.chosen, given, strict=True)
    ]
    names = [f"the {each.kind} {each.name}" for each in choice.chosen[:_NAMED]]
    more = len(choice.chosen) - len(names)
    shown = ", ".join(names) + (f" and {more} more" if more else "")
    enough = "" if not choice.short_bytes else "; it is too little where the forecast errs on the wrong side"
    return Step(
        name=f"{step.service}.reclaim" if number == 1 else f"{step.service}.reclaim-{number}",
        # Later steps count on all that was chosen: it stops short of that only where there is more than was hoped for.
        action=Reclaim(items=tuple(items), until_bytes=max(until_bytes, begun.high_bytes + choice.freed_bytes)),
        cause=f"{step.name} needs {format_bytes(until_bytes)} available when it begins, the reserve included{enough}",
        changes=f"removes {shown}",
        service=step.service,
        kept=freed(choice.freed_bytes),
        available_after=_plus(begun, choice.freed_bytes),
        available_lowest=begun,
    )


def _raised(step: Step, gained_bytes: int) -> Step:
    if not gained_bytes:
        return step
    after, lowest = _plus(step.available_after, gained_bytes), _plus(step.available_lowest, gained_bytes)
    return replace(step, available_after=after, available_lowest=lowest)


def _plus(estimate: Estimate, gained_bytes: int) -> Estimate:
    return estimate + Estimate(gained_bytes, gained_bytes, gained_bytes, Grade.DECLARED) if gained_bytes else estimate


def _without(findings: Findings, choice: ReclaimChoice) -> Findings:
    """Return what is left to choose from when some of it is gone."""
    gone = frozenset(each.candidate_id for each in choice.chosen)
    return replace(
        findings,
        candidates=tuple(each for each in findings.candidates if each.candidate_id not in gone),
        pieces=tuple(replace(each, holders=each.holders - gone) for each in findings.pieces if each.holders - gone),
    )
