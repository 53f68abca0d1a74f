"""In which order the services of a plan need the least at the worst moment: dependencies first, as always.

The steps of one service stay together, so what is put in order are services: what each needs at most, and what of it
stays. Where services share layers the first of them pays for these, so a plan in another order has to be made anew
before it is believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.expectations import at_worst
from tonnage.decide.deploy.reclaim_steps import needs_reclaim
from tonnage.decide.deploy.service_context import cleans_cache
from tonnage.decide.deploy.verdict import taken
from tonnage.decide.schedule.jobs import ScheduledJob
from tonnage.decide.schedule.order import lowest_peak
from tonnage.model.deploy.plan import CleanCache, Reclaim
from tonnage.model.deploy.policy import Cleanup
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tonnage.model.deploy.plan import Plan, Step
    from tonnage.model.deploy.policy import Policy
    from tonnage.model.deploy.run import History
    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Stack

_TRIES = 3
"""How often an order is found from a plan in the order before, whose services pay for other layers."""
_WORTH_PERCENT = 1
"""A plan is put in another order for no less: figures differ a little from one forecast to the next."""


def with_cache_cleaned(
    stack: Stack, policy: Policy, inventory: Inventory, plan_of: Callable[[Stack, Policy], Plan]
) -> Plan:
    """Return the plan of a stack in its lowest order, with build cache removed between services where it must be.

    Where builds would run anew for it the cache stays, unless the plan may cross the reserve with it.

    Args:
        plan_of: Plans it with its services in the order that they stand in it, under a policy.
    """
    plan = in_lowest_order(stack, lambda ordered: plan_of(ordered, policy))
    kept = policy.cleanup_after and not cleans_cache(policy, inventory.engine)
    if not kept or not needs_reclaim(plan, inventory.others):
        return plan
    other = in_lowest_order(stack, lambda ordered: plan_of(ordered, replace(policy, cleanup=Cleanup.ALWAYS)))
    if not any(isinstance(step.action, CleanCache) for step in other.steps) or not _is_better(other, plan):
        return plan
    note = "build cache is removed after each service, and the next build begins without it"
    if plan.need is not None and other.need is not None:
        saved_bytes = plan.need.peak.high_bytes - other.need.peak.high_bytes
        note += f": with it the plan may need {format_bytes(saved_bytes)} more"
    # It is the answer to the same question.
    return replace(other, fingerprint=plan.fingerprint, notes=(*other.notes, note))


def with_time_saved(plan: Plan, history: History, inventory: Inventory) -> Plan:
    """Return a plan that says what making images at once saves, where that is asked for."""
    if plan.policy.parallel == 1:
        return plan
    from tonnage.decide.schedule.at_once import with_overlap  # noqa: PLC0415 - most plans do without it

    return with_overlap(plan, history, inventory.others)


def in_lowest_order(stack: Stack, plan_of: Callable[[Stack], Plan]) -> Plan:
    """Return the plan of a stack, its services in the order that needs least; as written where that is no better.

    Args:
        plan_of: Plans it with its services in the order that they stand in it.
    """
    plan = plan_of(stack)
    for _ in range(_TRIES):
        names = _lowest(plan, stack)
        if names is None:
            break
        ordered = _put_in_order(stack, names)
        other = plan_of(ordered)
        if not _is_better(other, plan):
            break
        stack, plan = ordered, other
    return plan


def _lowest(plan: Plan, stack: Stack) -> tuple[str, ...] | None:
    """Return the services of a plan in the order with the lowest peak; None where they are in it, or nobody knows."""
    steps: dict[str, list[Step]] = {}
    for step in plan.steps:
        if step.service and not isinstance(step.action, Reclaim):
            steps.setdefault(step.service, []).append(step)
    if plan.need is None or len(steps) < 2:  # noqa: PLR2004 - one alone has no order
        return None
    before = _dependencies(stack)
    jobs = [_job(name, own, tuple(before.get(name, set()) & steps.keys())) for name, own in steps.items()]
    names = lowest_peak(jobs).names
    return None if names == tuple(steps) else names


def _job(name: str, steps: Sequence[Step], after: tuple[str, ...]) -> ScheduledJob:
    level = highest = 0
    for step in steps:
        kept = taken(step)
        highest = max(highest, level + at_worst(kept, step.transient).high_bytes)
        level += kept.high_bytes
    return ScheduledJob(name=name, needed=(highest,), kept=(level,), after=after)


def _dependencies(stack: Stack) -> dict[str, set[str]]:
    """Return what each service comes after, through others as well."""
    named = {each.name: each for each in stack.services}
    found: dict[str, set[str]] = {}
    for service in stack.services:
        waiting, seen = [service], set[str]()
        while waiting:
            each = waiting.pop()
            built_on = each.build.built_on if each.build is not None else ()
            further = {*(one.service for one in each.depends_on), *built_on} & named.keys() - seen
            seen |= further
            waiting += [named[name] for name in further]
        found[service.name] = seen - {service.name}
    return found


def _put_in_order(stack: Stack, names: Sequence[str]) -> Stack:
    places = {name: place for place, name in enumerate(names)}
    services = sorted(stack.services, key=lambda each: places.get(each.name, len(places)))
    return replace(stack, services=tuple(services))


def _is_better(other: Plan, plan: Plan) -> bool:
    if other.need is None or plan.need is None:
        return False
    if (other.refusal is None) != (plan.refusal is None):
        return other.refusal is None
    return other.need.peak.high_bytes * 100 < plan.need.peak.high_bytes * (100 - _WORTH_PERCENT)
