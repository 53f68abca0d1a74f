"""Forecasts of services with files as a change would leave them, for an engine that has nothing yet.

So no difference between two of them depends on what was built before.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.flows.forecast import engine_if_there, gathering
from tonnage.flows.requests import ForecastRequest
from tonnage.runtime.deploy.observe import observe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tonnage.flows.ports import DeployPorts
    from tonnage.flows.stack import DesiredState
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.forecast.gather.single_flight import SingleFlight
    from tonnage.model.forecast.estimate import EngineKind, ServiceForecast
    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Service


class FreshForecasts(Struct, frozen=True):
    """Forecasts services, as often as files change.

    Args:
        forecast: Forecasts some of the services with texts of files by path, Dockerfiles among them, as they would be.
        inventory: What the engine has; None without one.
    """

    forecast: Callable[[Sequence[Service], Mapping[str, str]], tuple[ServiceForecast, ...]]
    kind: EngineKind
    inventory: Inventory | None


@contextlib.contextmanager
def fresh_forecasts(
    ports: DeployPorts,
    wanted: DesiredState,
    services: Sequence[Service],
    *,
    offline: bool,
    within_s: float,
    watch: Callable[[Lookups], Lookups] = lambda looked: looked,
    answers: SingleFlight | None = None,
) -> Iterator[FreshForecasts | None]:
    """Open what forecasts services of a stack; what they look up is looked up once.

    Args:
        offline: Ask no server.
        within_s: How long one forecast may take; what is not known by then is left open.
        watch: Is put around what looks up, each time that something is forecast.
        answers: What was found out before; None for nothing.

    Yields:
        What forecasts; None where nothing can be forecast from here.

    Raises:
        UsageError: Files of a service cannot be read.
        EngineUnreachableError: The engine that was named does not answer.
    """
    stack = wanted.stack
    asked = ForecastRequest(
        assume_bytes=wanted.policy.assume_unknown_bytes,
        offline=offline,
        within_s=within_s,
        stack=stack.name,
        directory=stack.directory,
        builders=stack.built,
        untrusted=wanted.untrusted,
        ask_hosts=wanted.ask_hosts,
        fresh=True,
        answers=answers,
    )
    with contextlib.ExitStack() as opened:
        facts = opened.enter_context(engine_if_there(ports, wanted.host, ()))
        inventory = observe(facts) if facts is not None else None
        kind = ports.engines.kind(inventory.engine if inventory is not None else None)
        found = opened.enter_context(
            gathering(ports, services, kind, asked, facts=facts, inventory=inventory, watch=watch)
        )
        if found is None:
            yield None
            return

        def forecast(some: Sequence[Service], texts: Mapping[str, str]) -> tuple[ServiceForecast, ...]:
            specs = [each.build for each in some if each.build is not None and each.build.dockerfile in texts]
            return found(some, {(each.context, each.dockerfile): texts[each.dockerfile] for each in specs}, texts, None)

        yield FreshForecasts(forecast, kind, inventory)
