"""What a plan needs at its worst moment, and the verdict that follows from it: that of every forecast. Pure.

What containers write when they start is no part of it, unless it was measured before: nobody knows that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.expectations import at_worst, given_back
from tonnage.model.deploy.plan import CleanCache, Reclaim, Restart, StartFirst, Switch
from tonnage.model.deploy.rolling import StartRolling
from tonnage.model.forecast.estimate import NOTHING, Grade, highest
from tonnage.model.forecast.fit import DeployNeed, FitVerdict

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Plan, Step
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.fit import FilesystemFit


def with_need(plan: Plan) -> Plan:
    """Return a plan that says what it needs."""
    return replace(plan, need=_need_of(plan))


def judged(fit: FilesystemFit, need: DeployNeed) -> FilesystemFit:
    """Return how a stack fits the engine's filesystem, by what the plan needs of it."""
    headroom_bytes = fit.room.headroom_bytes
    verdict, missing_bytes = FitVerdict.FITS, 0
    if need.missing_bytes:
        verdict, missing_bytes = FitVerdict.NOT, need.missing_bytes
    elif need.peak.high_bytes > max(0, headroom_bytes + need.freed_bytes):
        verdict, missing_bytes = FitVerdict.DOUBTFUL, need.peak.high_bytes - headroom_bytes - need.freed_bytes
    elif fit.all_at_once.high_bytes > headroom_bytes and fit.all_at_once.high_bytes > need.peak.high_bytes:
        verdict, missing_bytes = FitVerdict.ONE_AT_A_TIME, fit.all_at_once.high_bytes - headroom_bytes
    return replace(fit, fit=verdict, missing_bytes=missing_bytes)


def _need_of(plan: Plan) -> DeployNeed | None:
    kept = peak = NOTHING
    worst = ""
    freed_bytes = 0
    for step in plan.steps:
        if isinstance(step.action, Reclaim):
            freed_bytes -= step.kept.likely_bytes
            continue
        kept_of_it = taken(step)
        if not (kept_of_it.known and step.transient.known):
            return None
        moment = kept + at_worst(kept_of_it, step.transient)
        # It may be a give-back that is not counted on: then nothing was needed for it.
        if (moment.likely_bytes, moment.high_bytes) > (peak.likely_bytes, peak.high_bytes):
            worst = step.name
        peak = _higher(peak, moment)
        kept += kept_of_it
    return DeployNeed(
        purpose=plan.purpose,
        mount=plan.filesystem,
        peak=peak,
        kept=kept,
        step=worst,
        freed_bytes=freed_bytes,
        missing_bytes=plan.refusal.missing_bytes if plan.refusal is not None else 0,
        cleans=any(isinstance(step.action, CleanCache) for step in plan.steps),
        keep_versions=plan.policy.keep_versions,
    )


def taken(step: Step) -> Estimate:
    """Return what a step keeps, as a need counts it."""
    if isinstance(step.action, StartFirst | StartRolling | Switch | Restart) and step.kept.grade is Grade.UNKNOWN:
        return NOTHING
    return given_back(step) if isinstance(step.action, CleanCache) else step.kept


def _higher(one: Estimate, other: Estimate) -> Estimate:
    """Return the higher of two moments, figure by figure; only one that counts anywhere weakens the grade."""
    if other.high_bytes <= one.low_bytes:
        return one
    if one.high_bytes <= other.low_bytes:
        return other
    return highest((one, other))
