"""What a stack needs on the image of its runner, and would need on the one after it. Asks no engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.reports.known_engines import runner_image
from tonnage.errors import UsageError
from tonnage.flows.forecast import forecast_now
from tonnage.flows.stack import read_wanted
from tonnage.model.reports.ci_job import NextRunner, PeakOnRunners

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.flows.ci_runner import RunnerChoice
    from tonnage.flows.ports import ForecastPorts
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState
    from tonnage.model.forecast.estimate import Estimate, StackForecast


def next_runner(ports: ForecastPorts, flags: StackFlags, chosen: RunnerChoice) -> NextRunner:
    """Forecast the stack of this directory for both images.

    Raises:
        UsageError: The stack cannot be read, or it is not known which image comes after that of this runner.
    """
    image = runner_image(chosen.labels)
    if image is None or not image.successor:
        raise UsageError(
            f"--runner: which image comes after {', '.join(chosen.labels)} is not known",
            todo="Write the label of a hosted runner:\n  --runner ubuntu-24.04",
        )
    wanted = read_wanted(ports, flags)
    return compared(ports, wanted, chosen, forecast_now(ports, wanted, target=image.engine))


def compared(ports: ForecastPorts, wanted: DesiredState, chosen: RunnerChoice, here: StackForecast) -> NextRunner:
    """Compare the forecast for the image of a runner with that for the one after it, which there must be.

    Raises:
        UsageError: There is none.
    """
    image = runner_image(chosen.labels)
    after = runner_image([image.successor]) if image is not None else None
    if image is None or after is None:
        raise UsageError(f"--runner: nothing is known of {', '.join(chosen.labels)}")
    there = forecast_now(ports, wanted, target=after.engine)
    built = [each.name for each in wanted.stack.built]
    return NextRunner(
        here=image,
        there=after,
        whole=PeakOnRunners(name=wanted.stack.name, here=_whole(here, built), there=_whole(there, built)),
        services=tuple(PeakOnRunners(name=name, here=_peak(here, name), there=_peak(there, name)) for name in built),
        runner_bytes=chosen.disk_bytes,
        left_out=there.left_out,
    )


def _peak(forecast: StackForecast, service: str) -> Estimate | None:
    return next((each.peak for each in forecast.services if each.service == service), None)


def _whole(forecast: StackForecast, built: Sequence[str]) -> Estimate | None:
    known = {each.service for each in forecast.services}
    return forecast.disk + forecast.transient if known.issuperset(built) else None
