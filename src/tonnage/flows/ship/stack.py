"""The images of a stack from the engine that has them to another one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from tonnage.decide.deploy.planning import asked_for
from tonnage.errors import CannotFitError, InterruptedRunError, StepFailedError, UsageError
from tonnage.flows.ports import EnginePorts
from tonnage.flows.ship.one_image import look, refuse_unfit, send_all
from tonnage.flows.ship.through import look_through, refuse_unreachable, registry_of, send_through
from tonnage.flows.stack import read_wanted
from tonnage.model.ship import ShipReport
from tonnage.runtime.signals import CancelOnSignal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.flows.requests import StackFlags
    from tonnage.flows.ship.ports import ShipEngines
    from tonnage.flows.stack import DesiredState
    from tonnage.model.stack import Service


class ShipPorts(EnginePorts, Protocol):
    """What sending the images of a stack needs."""

    @property
    def ship_engines(self) -> ShipEngines:
        """Engines that images are sent from and to."""


def ship_stack(
    ports: ShipPorts,
    flags: StackFlags,
    to: str,
    *,
    only_look: bool,
    show: Callable[[ShipReport], None],
    tell: Callable[[str], None],
    on_stop: Callable[[], None] = lambda: None,
) -> ShipReport:
    """Send the images of some services to another engine.

    Args:
        flags: Which stack, which services, and as ``host`` the engine that has the images.
        to: The engine that is to have them, as :class:`~tonnage.flows.ship.ports.ShipEngines` names engines.
        only_look: Send nothing.
        show: Is given what is going to be sent, before anything is.
        tell: Is told how it goes on.
        on_stop: Is called at the first signal.

    Returns:
        What was looked at, and what was sent. What only was looked at may not fit.

    Raises:
        UsageError: The stack cannot be read, or an image of it is not on the engine that it is sent from.
        CannotFitError: It does not fit there; nothing was sent.
        LockHeldError: Another run works on the stack there; nothing was sent.
        StepFailedError: An image could not be sent, or did not arrive whole.
        EngineUnreachableError: An engine does not answer.
        InterruptedRunError: A signal ended it.
    """
    wanted = read_wanted(ports, flags, builds=False, forecasts=False)
    return ship_wanted(ports, wanted, to, only_look=only_look, show=show, tell=tell, on_stop=on_stop)


def ship_wanted(
    ports: ShipPorts,
    wanted: DesiredState,
    to: str,
    *,
    only_look: bool,
    show: Callable[[ShipReport], None],
    tell: Callable[[str], None],
    on_stop: Callable[[], None] = lambda: None,
) -> ShipReport:
    """Do what :func:`ship_stack` does for a stack that was read, with the engine that has the images in it.

    Raises:
        TonnageError: As there.
        InterruptedRunError: A signal ended it.
    """
    services = chosen(wanted)
    owner = wanted.stack.name
    through = registry_of(wanted.settings, ports.ship_engines.logged_in)
    with contextlib.ExitStack() as opened:
        here = opened.enter_context(ports.ship_engines.source(wanted.host))
        there = opened.enter_context(ports.ship_engines.target(to))
        _refuse_missing(here.missing(services), services)
        images = {image: (image,) for image in services}
        keep_free_bytes = wanted.policy.keep_free_bytes
        if through:
            refuse_unreachable(through, there.endpoint)
            registry = opened.enter_context(ports.ship_engines.registry(here.insecure()))
            looked = look_through(here, there, registry, images, through=through, keep_free_bytes=keep_free_bytes)
        else:
            registry = None
            looked = look(here, there, images, keep_free_bytes=keep_free_bytes, owner=owner)
        report = ShipReport(stack=owner, endpoint=there.endpoint, services=services, looked=looked)
        try:
            refuse_unfit(looked, there.endpoint)
        except CannotFitError as error:
            report = replace(report, refusal=error)
        if only_look:
            return report
        show(report)
        with ports.engines.lock(looked.engine, owner), CancelOnSignal(on_stop) as signals:
            try:
                shipped = (
                    send_all(ports.ship_engines, here, there, looked, owner=owner, tell=tell, cancel=signals.cancel)
                    if registry is None
                    else send_through(
                        ports.ship_engines, here, there, registry, looked, tell=tell, cancel=signals.cancel
                    )
                )
            except StepFailedError as error:
                if signals.number:
                    raise InterruptedRunError(signals.number, "sending was stopped") from error
                raise
    return replace(report, shipped=shipped)


def chosen(wanted: DesiredState) -> dict[str, tuple[str, ...]]:
    """Return the images to send, each with its services: those named, else those that are built, else all."""
    names = asked_for(wanted.stack, wanted.services)
    meant = [service for service in wanted.stack.services if service.name in names]
    built = [service for service in meant if service.build is not None]
    found: dict[str, tuple[str, ...]] = {}
    for service in built if built and not wanted.services else meant:
        name = full_name(service)
        found[name] = (*found.get(name, ()), service.name)
    return found


def full_name(service: Service) -> str:
    """Return the name of a service's image with its tag: an engine lists no name without one."""
    last = service.image.rpartition("/")[2]
    return service.image if ":" in last or "@" in last else f"{service.image}:latest"


def _refuse_missing(missing: Sequence[str], services: Mapping[str, tuple[str, ...]]) -> None:
    if missing:
        image, names = missing[0], ", ".join(services[missing[0]])
        raise UsageError(
            f"{names}: there is no image {image} here to send",
            todo=f"Build or pull it first:\n  tonnage build {' '.join(services[image])}",
        )
