"""What fixing saves: the difference of two forecasts, known as well as what differs in them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tonnage.model.forecast.estimate import spread, weakest

if TYPE_CHECKING:
    from tonnage.model.forecast.estimate import Contributor, Estimate
    from tonnage.model.forecast.stack_forecast import StackForecast


def saved(before: StackForecast, after: StackForecast) -> Estimate | None:
    """Return the bytes that filesystems keep less; what both forecasts have alike does not make it less certain.

    None where nothing differs, and something could not be found out that may.
    """
    gone, new = _difference(before, after), _difference(after, before)
    likely_bytes = before.disk.likely_bytes - after.disk.likely_bytes
    if not gone and not new:
        if not likely_bytes and any(service.failures for service in before.services):
            return None
        return spread(likely_bytes, likely_bytes, likely_bytes, before.disk.grade)
    low_bytes = sum(each.disk.low_bytes for each in gone) - sum(each.disk.high_bytes for each in new)
    high_bytes = sum(each.disk.high_bytes for each in gone) - sum(each.disk.low_bytes for each in new)
    grade = weakest(each.disk.grade for each in (*gone, *new) if each.disk.likely_bytes or each.disk.high_bytes)
    # Layers that several services share are counted once in the stack, and what weighs in them for each.
    return spread(min(low_bytes, likely_bytes), likely_bytes, max(high_bytes, likely_bytes), grade)


def _difference(some: StackForecast, others: StackForecast) -> list[Contributor]:
    """Return what weighs in one forecast and not in the other."""
    left = Counter(_key(each) for each in _contributors(others))
    found = []
    for each in _contributors(some):
        key = _key(each)
        if left[key]:
            left[key] -= 1
        else:
            found.append(each)
    return found


def _contributors(forecast: StackForecast) -> list[Contributor]:
    """Return what weighs, in each piece of work once."""
    steps = {
        (step.key or (service.service, step.line)): step for service in forecast.services for step in service.steps
    }
    return [each for step in steps.values() for each in step.contributors]


def _key(each: Contributor) -> tuple[str, str, Estimate]:
    return each.name, each.source, each.disk
