"""Containers of a stack whose service is in no file any more. They are named; they go only when that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.deploy.plan import RemoveService, Step
from tonnage.model.orphans import orphans_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Stack


def orphan_notes(stack: Stack, inventory: Inventory) -> Iterator[str]:
    """Say which services run on although no file has them."""
    for service, containers in orphans_of(stack, inventory).items():
        alive = sum(each.alive for each in containers)
        state = "go on running" if alive > 1 else "goes on running" if alive else "is left"
        named = ", ".join(each.name for each in containers)
        yield f"{service} is in no file of the stack any more, and {named} {state}: --remove-orphans removes it"


def orphan_steps(stack: Stack, inventory: Inventory, started: Collection[str]) -> tuple[list[Step], list[Step]]:
    """Return the steps that remove them: those in front of all others, whose ports are needed, and those at the end."""
    wanted = {
        (port.published, port.protocol)
        for service in stack.services
        for port in service.ports
        if service.name in started and port.published
    }
    first: list[Step] = []
    last: list[Step] = []
    for service, containers in orphans_of(stack, inventory).items():
        held = {(str(number), protocol) for each in containers for _, number, protocol in each.published}
        needed = held & wanted
        (first if needed else last).append(
            Step(
                name=f"{service}.remove-orphan",
                action=RemoveService(project=stack.name),
                cause="it is in no file of the stack any more"
                + (f", and holds port {min(needed)[0]}, which is needed" if needed else ""),
                changes=f"removes the containers of {service}; volumes stay",
                service=service,
            )
        )
    return first, last
