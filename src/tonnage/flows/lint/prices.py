"""What mending a finding saves: the stack is forecast as it is, and with each fix in memory; the difference counts.

For an engine that has nothing yet, so that no price depends on what was built before. What cannot be forecast has none.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.deploy.changes import in_order
from tonnage.errors import TonnageError
from tonnage.flows.lint.fresh_forecasts import fresh_forecasts
from tonnage.forecast.costs.totals import forecast_stack
from tonnage.lint.prices import saved
from tonnage.model.reports.lint import LintedKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.flows.lint.fresh_forecasts import FreshForecasts
    from tonnage.flows.ports import DeployPorts
    from tonnage.flows.stack import DesiredState
    from tonnage.model.forecast.estimate import Estimate, ServiceForecast
    from tonnage.model.reports.lint import LintedFile
    from tonnage.model.stack import Service

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


def prices(
    ports: DeployPorts,
    wanted: DesiredState,
    changes: Sequence[Sequence[ChangedText]],
    *,
    offline: bool,
    within_s: float | None = None,
) -> tuple[tuple[Estimate | None, ...], str]:
    """Return what each change saves.

    Args:
        changes: Each as the files that change together.
        offline: Ask no server.
        within_s: After so many seconds what has no price yet gets none; None for no limit.

    Returns:
        A price for each change, None where it is not known; and why there is none at all, empty where there may be.
    """
    stack = wanted.stack
    services = tuple(each for each in in_order(stack, [each.name for each in stack.services]) if each.build is not None)
    none: tuple[Estimate | None, ...] = tuple(None for _ in changes)
    with fresh_forecasts(ports, wanted, services, offline=offline, within_s=_WITHIN_S) as fresh:
        if fresh is None:
            return none, "nothing can be forecast from here"
        before = {each.service: each for each in fresh.forecast(services, {})}
        if not any(each.found_out for each in before.values()):
            return none, next((each.failures[0] for each in before.values() if each.failures), "nothing is built")

        deadline = None if within_s is None else time.monotonic() + within_s

        def price(change: Sequence[ChangedText]) -> Estimate | None:
            if deadline is not None and time.monotonic() > deadline:
                return None
            touched = {service.name for each in change for service in each.services}
            some = tuple(each for each in services if each.name in touched)
            after = _after(fresh, some, change) if some else ()
            as_it_is = [before[each.name] for each in some]
            if not after or not all(map(_comparable, as_it_is, after)):
                return None
            return saved(*(forecast_stack(stack.name, fresh.kind, each) for each in (as_it_is, after)))

        return tuple(price(change) for change in changes), ""


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
