"""How long the steps of a plan take, by what the same steps took in earlier runs. What never ran has no figure."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.schedule.admission import gets_an_image
from tonnage.model.deploy.plan import Prove, Push, Reclaim, SendFiles, StartFirst, Switch

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Plan, Step
    from tonnage.model.deploy.run import History

_LONG = (Push, Reclaim, SendFiles)
"""What takes as long as there are bytes: another one's time says nothing of it. So it is with builds and pulls."""
_SHORT_S = 1.0
_HEALTH_S = 3.0


def with_times(plan: Plan, history: History) -> Plan:
    """Return a plan with the seconds of its steps, and of all of it where each build and pull ran before."""
    if plan.refusal is not None or not plan.steps:
        return plan
    found = {step.name: _seconds(step, history) for step in plan.steps}
    known = {name: seconds for name, seconds in found.items() if seconds is not None}
    seconds: float | None = None
    if len(known) == len(found):
        seconds = float(plan.overlap.seconds) if plan.overlap is not None else sum(known.values())
    return replace(plan, times=tuple(known.items()), seconds=seconds)


def _seconds(step: Step, history: History) -> float | None:
    learned = history.learned.get(step.learn_key) if step.learn_key else None
    if learned is not None:
        return learned.seconds
    kind = str(type(step.action).__struct_config__.tag)
    if (step.name, kind) in history.seconds:
        return history.seconds[step.name, kind]
    if gets_an_image(step) or isinstance(step.action, _LONG):
        return None
    others = [seconds for (_, other), seconds in history.seconds.items() if other == kind]
    if others:
        return median(others)
    return _HEALTH_S if isinstance(step.action, (Prove, Switch, StartFirst)) else _SHORT_S
