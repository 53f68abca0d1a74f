"""Which containers of a stack belong to a service that is in no file any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonnage.model.inventory import Container, Inventory
    from tonnage.model.stack import Stack

REMOVE_ORPHANS = "tonnage deploy --remove-orphans"
"""What removes them."""


def orphans_of(stack: Stack, inventory: Inventory) -> dict[str, tuple[Container, ...]]:
    """Return the containers of services that are in no file, by service; one with other profiles is in a file."""
    known = {*(service.name for service in stack.services), *stack.inactive}
    found: dict[str, tuple[Container, ...]] = {}
    for each in inventory.containers:
        if each.project == stack.name and each.service and each.service not in known and not each.one_off:
            found[each.service] = (*found.get(each.service, ()), each)
    return found
