"""What fixing a finding saves: the stack is forecast as it is, and with each fix in memory; the difference counts.

For an engine that has nothing yet, so that no price depends on what was built before. What cannot be forecast has none.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.deploy.changes import in_order
from tonnage.errors import TonnageError
from tonnage.flows.lint.fresh_forecasts import fresh_forecasts
from tonnage.forecast.costs.totals import forecast_stack
from tonnage.lint.prices import saved
from tonnage.model.forecast.estimate import spread, total, weakest
from tonnage.model.forecast.finding import ChangePrice
from tonnage.model.reports.lint import LintedKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.flows.lint.fresh_forecasts import FreshForecasts
    from tonnage.flows.ports import DeployPorts
    from tonnage.flows.stack import DesiredState
    from tonnage.forecast.gather.single_flight import SingleFlight
    from tonnage.model.forecast.estimate import Estimate, ServiceForecast
    from tonnage.model.reports.lint import LintedFile
    from tonnage.model.stack import Service

_AT_ONCE = 4
_WITHIN_S = 30.0
"""How long one forecast may take; what is not known by then has no price."""


class ChangedText(Struct, frozen=True, kw_only=True):
    """A file as a fix makes it.

    Args:
        services: Those whose images it goes into.
    """

    file: LintedFile
    text: str
    services: tuple[Service, ...]


class Saving(Struct, frozen=True, kw_only=True):
    """What a change saves.

    Args:
        kept: What filesystems keep less; None where it is not known.
        peak: What the worst moment of a build needs less; None where it is not known.
        change: What a change of the sources costs before and after; None where it is not about that.
    """

    kept: Estimate | None = None
    peak: Estimate | None = None
    change: ChangePrice | None = None


def prices(
    ports: DeployPorts,
    wanted: DesiredState,
    changes: Sequence[Sequence[ChangedText]],
    *,
    at: Sequence[tuple[int, int] | None],
    offline: bool,
    within_s: float | None = None,
    answers: SingleFlight | None = None,
) -> tuple[tuple[Saving, ...], str]:
    """Return what each change saves.

    Args:
        changes: Each as the files that change together.
        at: For each the lines from which a change of the sources builds anew, before and after; None for no question.
        offline: Ask no server.
        within_s: After so many seconds what has no price yet gets none; None for no limit.
        answers: What was found out before; None for nothing.

    Returns:
        A price for each change, empty where it is not known; and why there is none at all, empty where there may be.
    """
    stack = wanted.stack
    services = tuple(each for each in in_order(stack, [each.name for each in stack.services]) if each.build is not None)
    none = tuple(Saving() for _ in changes)
    with fresh_forecasts(ports, wanted, services, offline=offline, within_s=_WITHIN_S, answers=answers) as fresh:
        if fresh is None:
            return none, "nothing can be forecast from here"
        before: dict[str, ServiceForecast] = {}
        if within_s is None:
            before = {each.service: each for each in fresh.forecast(services, {})}
            if not any(each.found_out for each in before.values()):
                return none, next((each.failures[0] for each in before.values() if each.failures), "nothing is built")

        asked = Lock()
        deadline = None if within_s is None else time.monotonic() + within_s

        def price(change: Sequence[ChangedText], lines: tuple[int, int] | None) -> Saving:
            if deadline is not None and time.monotonic() > deadline:
                return Saving()
            touched = {service.name for each in change for service in each.services}
            some = tuple(each for each in services if each.name in touched)
            # Within a limit of time nothing is forecast that no change asks for, and nothing twice.
            with asked:
                unknown = [each for each in some if each.name not in before]
                before.update({each.service: each for each in (fresh.forecast(unknown, {}) if unknown else ())})
            after = _after(fresh, some, change) if some else ()
            as_it_is = [before[each.name] for each in some]
            if not after or not all(map(_comparable, as_it_is, after)):
                return Saving()
            return Saving(
                kept=saved(*(forecast_stack(stack.name, fresh.kind, each) for each in (as_it_is, after))),
                peak=lower_peak(as_it_is, after),
                change=None if lines is None else change_price(as_it_is, after, lines, change),
            )

        # While one waits for a server or the resolver, others are worked out.
        with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="price") as pool:
            return tuple(pool.map(price, changes, at)), ""


def lower_peak(before: Sequence[ServiceForecast], after: Sequence[ServiceForecast]) -> Estimate | None:
    """Return by how much the worst moment is lower, in the service where that is most."""
    known = [each for each in zip(before, after, strict=True) if each[0].peak.known and each[1].peak.known]
    if not known:
        return None
    one, other = max(known, key=lambda each: each[0].peak.likely_bytes - each[1].peak.likely_bytes)
    less_bytes = one.peak.likely_bytes - other.peak.likely_bytes
    # What other instructions need does not make it less certain.
    steps = [(each.transient, new.transient) for each, new in zip(one.steps, other.steps, strict=False)]
    one_held, other_held = max(
        steps, key=lambda each: each[0].likely_bytes - each[1].likely_bytes, default=(one.transient, other.transient)
    )
    return spread(less_bytes, less_bytes, less_bytes, weakest((one_held.grade, other_held.grade)))


def change_price(
    before: Sequence[ServiceForecast],
    after: Sequence[ServiceForecast],
    lines: tuple[int, int],
    change: Sequence[ChangedText],
) -> ChangePrice | None:
    """Return what is written again when a file changes: everything from a line on, where that is most."""
    named = {service.name for each in change if each.file.kind is LintedKind.DOCKERFILE for service in each.services}
    found = [
        ChangePrice(_from_line(one, lines[0]), _from_line(other, lines[1]))
        for one, other in zip(before, after, strict=True)
        if one.service in named
    ]
    known = [each for each in found if each.now.known and each.then.known]
    return max(known, key=lambda each: each.now.likely_bytes - each.then.likely_bytes, default=None)


def _from_line(forecast: ServiceForecast, line: int) -> Estimate:
    return total(step.disk for step in forecast.steps if step.line >= line)


def _after(
    fresh: FreshForecasts, services: Sequence[Service], change: Sequence[ChangedText]
) -> tuple[ServiceForecast, ...]:
    """Return forecasts with files changed; none where that fails."""
    read = (LintedKind.DOCKERFILE, LintedKind.REQUIREMENTS)
    try:
        return fresh.forecast(services, {each.file.path: each.text for each in change if each.file.kind in read})
    except TonnageError:
        return ()


def _comparable(before: ServiceForecast, after: ServiceForecast) -> bool:
    """Return whether two forecasts differ by nothing but the change: nothing that was known is not any more."""
    # Failures quote the commands, which a fix may change.
    return before.found_out and after.found_out and len(after.failures) <= len(before.failures)
