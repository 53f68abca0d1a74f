"""Services that belong together: a deploy that fails at one takes back those that were switched over before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.model.deploy.plan import Switch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.deploy.plan import Step


def undoing_all(steps: Sequence[Step], back: Sequence[Step], before: Sequence[Sequence[Step]]) -> list[Step]:
    """Return the steps of a service whose undo takes back, after its own, the services that were switched before it.

    Dependents go back before what they depend on, so that none runs on an older dependency than it was proven with.

    Args:
        back: What takes the service itself back once it was switched over.
        before: What takes each of the services before it back.
    """
    others = tuple(step for each in reversed(before) for step in each)
    own: Sequence[Step] = ()
    found = []
    for step in steps:
        if isinstance(step.action, Switch):
            own = back
        # What follows the proof goes back with the service too.
        found.append(replace(step, on_failure=(*(step.on_failure or own), *others)))
    return found
