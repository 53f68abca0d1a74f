"""Images for another machine, built by the engine of this one: which services, and whether that is possible at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.planning import asked_for
from tonnage.errors import EngineLacksError, EngineUnreachableError
from tonnage.flows.ship.through import registry_of
from tonnage.flows.stack import for_build, read_wanted

if TYPE_CHECKING:
    from tonnage.flows.ports import EnginePorts
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.ship.stack import ShipPorts
    from tonnage.flows.stack import DesiredState
    from tonnage.model.stack import Stack


def wanted_here(ports: ShipPorts, flags: StackFlags) -> DesiredState | None:
    """Return what is built here for another machine; None where no service that is meant is built.

    Args:
        flags: Those of the deploy to the other machine.

    Raises:
        UsageError: What the user wrote cannot be read or used, or images may not go the way that a file names.
    """
    wanted = read_wanted(ports, replace(flags, host="", place=""))
    services = built_for(wanted.stack, wanted.services)
    if not services:
        return None
    # Asked before anything is built for a way that is refused later.
    registry_of(wanted.settings, ports.ship_engines.logged_in)
    return for_build(replace(wanted, services=services), push=False, cleanup_after=False)


def built_for(stack: Stack, services: tuple[str, ...]) -> tuple[str, ...]:
    """Return the services with a build section that a deploy of some starts, in the order of the file."""
    by_name = {service.name: service for service in stack.services}
    meant: set[str] = set()
    waiting = sorted(asked_for(stack, services))
    while waiting:
        name = waiting.pop()
        if name not in meant and name in by_name:
            meant.add(name)
            waiting += [each.service for each in by_name[name].depends_on]
    return tuple(service.name for service in stack.services if service.name in meant and service.build is not None)


def why_not_here(ports: EnginePorts, host: str) -> str:
    """Return why images for another machine cannot be built here; empty where they can.

    Raises:
        EngineUnreachableError: The other machine's engine does not answer.
    """
    with ports.engines.facts(host) as there:
        needed = there.engine()
    try:
        with ports.engines.facts("") as here:
            engine = here.engine()
    except (EngineUnreachableError, EngineLacksError) as error:
        return error.what
    if engine.engine_id == needed.engine_id:
        return "it is the same engine"
    if engine.architecture != needed.architecture:
        return f"the engine here runs on {engine.architecture}, that one on {needed.architecture}"
    return ""
