"""From a stack and what was observed to forecasts: for the command that shows them, and for plans."""

from __future__ import annotations

import platform as machine
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.reports.diagnosis import BuildNeed
from tonnage.forecast.costs.expected_builds import cached_bytes, expected_builds, present_layers
from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.cycles import refuse_circles
from tonnage.forecast.gather.services import forecast_services
from tonnage.model.deploy.history import History

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.adapters.interface import Cancel, EngineFacts
    from tonnage.flows.ports import World
    from tonnage.model.deploy.expected_build import ExpectedBuild
    from tonnage.model.forecast.estimate import EngineKind, ServiceForecast
    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Service, Stack

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm/v7", "i686": "386"}
PLAN_WITHIN_S = 12.0
"""How long a plan waits for forecasts; what is not known by then is left at what was learned."""


class ForecastRequest(Struct, frozen=True, kw_only=True):
    """How forecasts are asked for.

    Args:
        platform: The platform to forecast for; empty for the engine's, and what each service says.
        python: The version of Python; empty for that of each image.
        offline: Ask no server.
        probe: A base image may be started in a throw-away container.
        assume_bytes: What is assumed for what nobody knows.
        within_s: After so many seconds what is not known yet is given up; None for no limit.
        stack: The stack that lessons of earlier runs are looked up for.
        builders: The services of the stack that are built: others may stand on their images.
        refuses_circles: Services that are built on each other in a circle are a failure of the whole.
    """

    assume_bytes: int
    platform: str = ""
    python: str = ""
    offline: bool = False
    probe: bool = False
    within_s: float | None = None
    stack: str = ""
    builders: tuple[Service, ...] = ()
    refuses_circles: bool = False


def gather(
    outside: World,
    services: Sequence[Service],
    kind: EngineKind,
    asked: ForecastRequest,
    *,
    facts: EngineFacts | None = None,
    inventory: Inventory | None = None,
    history: History | None = None,
    cancel: Cancel | None = None,
) -> tuple[ServiceForecast, ...]:
    """Forecast services.

    Args:
        outside: What may be reached.
        services: The services, in the order of building.
        kind: What builds and keeps images.
        asked: How it is asked.
        facts: The engine; None without one.
        inventory: What was observed on it.
        history: What earlier runs taught.
        cancel: Ends it early.

    Returns:
        One forecast for each; none at all where nothing can be forecast from here.

    Raises:
        UsageError: Services are built on each other in a circle, and that was to be refused.
    """
    opened = outside.lookups(facts, inventory.images if inventory else (), offline=asked.offline, probe=asked.probe)
    if opened is None:
        return ()
    history = history or History()
    around = ForecastContext(
        engine=kind,
        platform=asked.platform or _platform(inventory),
        platform_forced=bool(asked.platform),
        python=asked.python,
        assume_bytes=asked.assume_bytes,
        layers_there=frozenset(chain for image in inventory.images for chain in image.chain) if inventory else (),
        taught=history.taught,
        stack=asked.stack,
        builders=asked.builders,
    )
    present = present_layers(history.built, inventory) if inventory else frozenset[str]()
    with opened as lookups:
        if asked.refuses_circles:
            refuse_circles(around, lookups)
        return forecast_services(services, around, lookups, present=present, cancel=cancel, within_s=asked.within_s)


def needs_now(outside: World, stack: Stack, assume_bytes: int, *, offline: bool) -> tuple[BuildNeed, ...]:
    """Return what the builds of a stack need at their worst moment, each alone on an empty disk.

    Args:
        outside: What may be reached.
        stack: The stack.
        assume_bytes: What is assumed for what nobody knows.
        offline: Ask no server.

    Returns:
        One entry for each built service whose need could be found out within a few seconds.
    """
    built = stack.built
    asked = ForecastRequest(assume_bytes=assume_bytes, offline=offline, within_s=PLAN_WITHIN_S, builders=built)
    found = []
    for each in gather(outside, built, outside.engine_kind(None), asked):
        peak = each.disk + each.transient + each.beside
        if each.found_out and not each.failures and peak.known:
            found.append(
                BuildNeed(
                    service=each.service,
                    peak_bytes=peak.likely_bytes,
                    kept_bytes=each.disk.likely_bytes,
                    grade=str(peak.grade),
                )
            )
    return tuple(found)


def builds_of(forecasts: Sequence[ServiceForecast], inventory: Inventory) -> dict[str, ExpectedBuild]:
    """Return what build steps of a plan will do.

    Args:
        forecasts: Of the services that are built, in the order of the plan.
        inventory: What was observed.

    Returns:
        By service, on the filesystem of the data root.
    """
    first, *others = inventory.filesystems
    return expected_builds(
        forecasts,
        roles=first.roles,
        elsewhere={role for disk in others for role in disk.roles} - set(first.roles),
        cached_bytes=cached_bytes(inventory),
    )


def _platform(inventory: Inventory | None) -> str:
    name = inventory.engine.architecture if inventory else machine.machine()
    return f"linux/{_ARCHITECTURES.get(name, name)}"
