"""What would make a stack smaller, in a few lines: what lint finds with the highest prices.

Asks no server: it follows a forecast, which has looked everything up that prices need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import TonnageError
from tonnage.flows.lint.linter import LintRequest, lint
from tonnage.lint.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.flows.ports import DeployPorts
    from tonnage.flows.requests import StackFlags
    from tonnage.forecast.gather.single_flight import SingleFlight
    from tonnage.model.forecast.estimate import ServiceForecast
    from tonnage.model.forecast.finding import Finding

_MOST = 5
_WITHIN_S, _MOST_PRICED = 2.0, 30
"""How long prices may take, and how many findings of single files get one: those of the heaviest services."""
_WORTH_TELLING, _WORTH_A_CHOICE = 1_000_000, 300_000_000


def smaller(
    ports: DeployPorts,
    flags: StackFlags,
    forecasts: Sequence[ServiceForecast] = (),
    *,
    answers: SingleFlight | None = None,
) -> tuple[Finding, ...]:
    """Return what saves most, at most five findings; none where nothing has a price, or files cannot be read.

    Args:
        forecasts: The services as they are; findings of the heaviest ones get prices.
        answers: What they were made from; None where that is not known.
    """
    heaviest = sorted(forecasts, key=lambda each: -each.peak.likely_bytes)
    request = LintRequest(
        of_stack=True,
        writes=False,
        offline=True,
        prices_within_s=_WITHIN_S,
        priced_first=tuple(each.service for each in heaviest),
        priced_at_most=_MOST_PRICED,
        priced_together=False,
        answers=answers,
    )
    try:
        report = lint(ports, flags, request)
    except TonnageError:
        return ()
    priced = [each for each in report.findings if each.price is not None and each.price.told_bytes is not None]
    chosen = set(flags.services)
    least = {rule.name: _WORTH_A_CHOICE if rule.least_bytes else _WORTH_TELLING for rule in RULES}
    worth = [each for each in priced if each.price is not None and each.price.likely_bytes >= least[each.rule]]
    return tuple(each for each in worth if not chosen or chosen & set(each.services))[:_MOST]
