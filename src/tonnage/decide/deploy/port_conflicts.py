"""Which ports of the machine a deploy needs and cannot have, because somebody else's container holds them.

A program outside the engine cannot be seen from here; that one is met when the service is started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

    from tonnage.model.inventory import Container, Inventory
    from tonnage.model.stack import Port, Service, Stack

_ANY_ADDRESS = {"", "0.0.0.0", "::"}  # noqa: S104 - compared, never bound


def check_ports(stack: Stack, inventory: Inventory, started: Collection[str]) -> None:
    """Refuse a deploy that would end at a taken port, before anything is built for it.

    The stack's own services let go of their ports when their turn comes, so they are not looked at.

    Raises:
        UsageError: A port is taken; the message names who holds it.
    """
    own = {service.name for service in stack.services}
    others = [each for each in inventory.containers if each.project != stack.name or each.service not in own]
    for service in stack.services:
        if service.name not in started or service.network_mode == "host":
            continue
        for port in service.ports:
            holder = next((each for each in others if _holds(each, port)), None)
            if holder is not None:
                raise _taken(service, port, holder)


def _holds(container: Container, port: Port) -> bool:
    return any(
        str(number) == port.published
        and protocol == port.protocol
        and (address == port.host_ip or address in _ANY_ADDRESS or port.host_ip in _ANY_ADDRESS)
        for address, number, protocol in container.published
    )


def _taken(service: Service, port: Port, holder: Container) -> UsageError:
    owner = f" of the stack {holder.project}" if holder.project else ""
    return UsageError(
        f"{service.name} publishes port {port.published} of the host, which is taken",
        why=f"It is held by the container {holder.name}{owner}.",
        todo=f"Stop that one:\n  docker stop {holder.name}\nor publish another port in the compose file.",
        place=str(service.place or ""),
    )
