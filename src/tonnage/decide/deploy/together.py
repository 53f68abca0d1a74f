"""Services that belong together: a deploy that fails at one takes back those that were switched over before it.

So none of them is known as good before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.model.deploy.plan import Switch
from tonnage.model.deploy.rolling import Retire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.deploy.plan import Step


class Part(Struct, frozen=True, kw_only=True):
    """The steps of one service.

    Args:
        steps: Up to its proof.
        settled: Those that name it good and tidy.
        back: What takes it back; for one that follows another, the way back of that one.
    """

    steps: Sequence[Step]
    settled: Sequence[Step] = ()
    back: tuple[Step, ...] = ()


def in_turn(parts: Sequence[Part]) -> list[Step]:
    """Return the steps of all services in turn, each settled once nothing comes that would take it back."""
    last = {id(part.back): number for number, part in enumerate(parts)}
    turns = [list(part.steps) for part in parts]
    for number, part in enumerate(parts):
        turns[last[id(part.back)] if part.back else number] += part.settled
    return [step for turn in turns for step in turn]


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
        if isinstance(step.action, Switch | Retire):
            own = back
        # What follows the proof goes back with the service too.
        found.append(replace(step, on_failure=(*(step.on_failure or own), *others)))
    return found
