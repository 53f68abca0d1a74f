"""What of an instruction's later commands takes away what an earlier one left, which several rules ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.forecast.costs.image_paths import any_covers, covers
from tonnage.model.forecast.effects import Remove

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.lint.reading import ReadCommand, ReadStep


def removed_behind(step: ReadStep, command: ReadCommand, place: str) -> bool:
    """Return whether a later command of the instruction removes a directory, or all that is in it."""
    return any(
        isinstance(effect, Remove) and not effect.names and any_covers(effect.paths, place)
        for later in step.behind(command)
        for effect in later.effects
    )


def on_a_mount(step: ReadStep, *places: str) -> bool:
    """Return whether one of some directories is a mount of the instruction, so that it is in no layer."""
    run = step.run
    targets = [mount.target for mount in run.mounts if mount.target] if run is not None else []
    return any(covers(target, place) for target in targets for place in places)


def runs_behind(step: ReadStep, command: ReadCommand, programs: Sequence[str], verbs: Sequence[str]) -> bool:
    """Return whether a later command of the instruction is one of some programs with one of some verbs."""
    return any(
        later.program in programs and any(word in verbs for word in later.words) for later in step.behind(command)
    )
