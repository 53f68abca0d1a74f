"""Images that are built on images of the same stack: a change below is a change above."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.changes import change_of
from tonnage.decide.deploy.order import in_order

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tonnage.model.inventory import Inputs, Inventory
    from tonnage.model.stack import Stack


def with_what_is_built_on(stack: Stack, own: Mapping[str, Inputs]) -> dict[str, Inputs]:
    """Return inputs that are other ones, too, when those of an image change that the build stands on.

    Raises:
        UsageError: Services that are built on each other in a circle.
    """
    found = dict(own)
    for service in in_order(stack, own):
        below = [found[name].digest for name in (service.build.built_on if service.build else ()) if name in found]
        if below:
            digest = hashlib.sha256("\n".join([own[service.name].digest, *below]).encode()).hexdigest()
            found[service.name] = replace(own[service.name], digest=digest)
    return found


def with_builds_below(stack: Stack, inventory: Inventory, wanted: Collection[str]) -> set[str]:
    """Return the services that are wanted, and those whose images must be built before theirs."""
    chosen = set(wanted)
    waiting = list(wanted)
    while waiting:
        spec = stack.service(waiting.pop()).build
        for name in spec.built_on if spec is not None else ():
            if name not in chosen and change_of(stack, stack.service(name), inventory).build:
                chosen.add(name)
                waiting.append(name)
    return chosen
