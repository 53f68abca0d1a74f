"""Whose project it is: two stacks may have one name, and the containers of the other one are not to be replaced.

Compose writes on every container which directory its stack is in. Another directory may still be the same stack, in
another checkout of its repository: that is told by the repository, and where it is not known by services and their
sources. See docs/adr/0028.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from tonnage.decide.deploy.changes import change_of
from tonnage.decide.deploy.versions import records_on
from tonnage.errors import UsageError
from tonnage.model.compose_labels import DIRECTORY
from tonnage.model.deploy.image_names import adopted_reference
from tonnage.model.deploy.plan import Adopt, Step
from tonnage.model.forecast.estimate import RECORDS

if TYPE_CHECKING:
    from tonnage.model.inventory import Container, Inventory
    from tonnage.model.stack import Stack


def other_places(stack: Stack, inventory: Inventory) -> dict[str, Container]:
    """Return the other directories that containers of a project of this name say they are from, with one of each."""
    own = posixpath.normpath(stack.place or stack.directory)
    found: dict[str, Container] = {}
    for each in inventory.containers:
        place = each.labels.get(DIRECTORY, "")
        if each.project == stack.name and not each.one_off and place and posixpath.normpath(place) != own:
            found.setdefault(place, each)
    return found


def adopt_steps(stack: Stack, inventory: Inventory, *, adopt: bool) -> list[Step]:
    """Return the step that remembers on the engine whose project it is; none where nobody else has it.

    Args:
        adopt: Take it over.

    Raises:
        UsageError: The containers are those of another stack.
    """
    own, found = stack.place or stack.directory, other_places(stack, inventory)
    others = {place: each for place, each in found.items() if place not in stack.same_places}
    remembered = adopted_reference(stack.name, own)
    if not others or inventory.image(remembered) is not None or _is_same(stack, inventory):
        return []
    if adopt:
        return [
            Step(
                name="adopt",
                action=Adopt(reference=remembered),
                cause=f"asked for with --adopt: its containers are from {', '.join(sorted(others))}",
                changes=f"remembers on the engine that {stack.name} is also the stack in {own}",
                kept=RECORDS,
                transient=RECORDS,
            )
        ]
    place, container = min(others.items())
    raise UsageError(
        f"the project {stack.name} on this engine is another stack",
        why=f"Its container {container.name} is from {place}, and this stack is in {own}. Nothing was changed.",
        todo="Give this stack a name of its own, with name: in its file or with\n"
        f"  tonnage deploy -p {stack.name}-2\n"
        "or, where it is the same stack in another place, take it over:\n  tonnage deploy --adopt",
    )


def _is_same(stack: Stack, inventory: Inventory) -> bool:
    """Whether it was deployed from this repository before, or all that runs is what is written here."""
    if stack.origin and any(version.origin == stack.origin for version in records_on(inventory, stack)):
        return True
    known = {service.name for service in stack.services}
    there = {each.service for each in inventory.containers if each.project == stack.name and not each.one_off}
    if not there <= {*known, *stack.inactive} or not there & known:
        return False
    changes = [change_of(stack, service, inventory) for service in stack.services if service.name in there]
    return not any(each.switch or each.build or each.pull or each.uncompared for each in changes)
