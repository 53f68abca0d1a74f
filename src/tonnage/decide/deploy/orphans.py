"""What is in the way of a stack: containers of services in no file any more, and whoever holds its ports.

The first are named, and go only when that is asked for; a port that is taken refuses a deploy before it begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.model.deploy.plan import RemoveService, Step
from tonnage.model.orphans import orphans_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tonnage.model.inventory import Container, Inventory
    from tonnage.model.stack import Port, Service, Stack


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


_ANY_ADDRESS = {"", "0.0.0.0", "::"}  # noqa: S104 - compared, never bound


def check_ports(
    stack: Stack,
    inventory: Inventory,
    started: Collection[str],
    turns: Sequence[str] = (),
    *,
    remove_orphans: bool = False,
) -> None:
    """Refuse a deploy that would end at a taken port, before anything is built for it.

    Args:
        turns: The services that are switched over, in this order: each lets go of its ports when its turn comes.
            Without, those of the stack are not looked at.

    Raises:
        UsageError: A port is taken; the message names who holds it.
    """
    own = {service.name for service in stack.services}
    orphans = [each for found in orphans_of(stack, inventory).values() for each in found]
    others = [each for each in inventory.containers if each.project != stack.name or each.service not in own]
    others = [each for each in others if not (remove_orphans and each in orphans)]
    for service in stack.services:
        if service.name not in started or service.network_mode == "host":
            continue
        for port in service.ports:
            holder = next((each for each in others if _holds(each, port)), None)
            if holder is not None:
                raise _taken(service, port, holder, orphan=holder in orphans)
            later = _holding_later(stack, inventory, service, turns)
            holder = next((each for each in later if _holds(each, port)), None)
            if holder is not None:
                raise _taken(service, port, holder, later=holder.service in turns)


def _holding_later(stack: Stack, inventory: Inventory, service: Service, turns: Sequence[str]) -> Iterator[Container]:
    """Yield the containers of other services of the stack that still run when it is the turn of one."""
    if service.name in turns:
        before = turns[: turns.index(service.name)]
        for other in stack.services:
            if other.name != service.name and other.name not in before:
                yield from inventory.service_containers(stack.name, other.name)


def _holds(container: Container, port: Port) -> bool:
    return any(
        str(number) == port.published
        and protocol == port.protocol
        and (address == port.host_ip or address in _ANY_ADDRESS or port.host_ip in _ANY_ADDRESS)
        for address, number, protocol in container.published
    )


def _taken(
    service: Service, port: Port, holder: Container, *, orphan: bool = False, later: bool | None = None
) -> UsageError:
    owner = f" of the stack {holder.project}" if holder.project else ""
    owner = f" of this stack, whose service {holder.service} is in no file any more" if orphan else owner
    if later is not None:
        owner = f" of this stack, {'whose turn comes later' if later else 'which this deploy does not replace'}"
    stop = "Remove it:\n  tonnage deploy --remove-orphans" if orphan else f"Stop that one:\n  docker stop {holder.name}"
    return UsageError(
        f"{service.name} publishes port {port.published} of the host, which is taken",
        why=f"It is held by the container {holder.name}{owner}.",
        todo=f"{stop}\nor publish another port in the compose file.",
        place=str(service.place or ""),
    )
