"""Whether a step may begin beside those that run, so that the line is not crossed and nothing gets stuck. Pure.

Two questions, both by high estimates. Is there room for all that runs, each at its worst moment? And is there room for
the rest of the plan afterwards, one step after the other: for what a step keeps is gone for all that follow. A plan
that fits step by step has an answer to the second at the begin, and as every step that begins keeps one, there is
always a way on: to wait for what runs, and to go on in the order of the plan.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.deploy.expectations import at_worst
from tonnage.model.deploy.plan import Build, CleanCache, Pull, Reclaim, RemoveImage, Tag

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from tonnage.model.deploy.plan import Step


_DOUBLED_BYTES = 1_000_000
"""Builds that would store no more than this twice may run at the same time: a ``WORKDIR``, say."""


class Under(Struct, frozen=True, kw_only=True):
    """What is under way.

    Args:
        began_bytes: Available when the first of these steps began, and nothing else ran.
        kept_bytes: What those may have kept that ended since then.
        running: Those that run.
    """

    began_bytes: int
    kept_bytes: int = 0
    running: tuple[Step, ...] = ()

    def ended(self, step: Step, *, undone: bool = False) -> Under:
        """Return what is under way when one of the steps has ended, or was stopped and undone."""
        kept_bytes = step.kept.high_bytes if step.kept.known and not undone else 0
        running = tuple(each for each in self.running if each.name != step.name)
        return Under(began_bytes=self.began_bytes, kept_bytes=self.kept_bytes + kept_bytes, running=running)

    def begun(self, step: Step) -> Under:
        """Return what is under way when one more step has begun."""
        return Under(began_bytes=self.began_bytes, kept_bytes=self.kept_bytes, running=(*self.running, step))


def fits_beside(step: Step, under: Under, available_bytes: int, remains_bytes: int) -> bool:
    """Return whether a step and all that runs have room at the same time, each at its worst moment.

    Args:
        available_bytes: Measured now.
        remains_bytes: What must remain: the line, and what others claim.
    """
    needed = [needed_bytes(each) for each in (*under.running, step)]
    if any(each is None for each in needed):
        return False
    return sum(each for each in needed if each is not None) <= _level(under, available_bytes) - remains_bytes


def may_begin(step: Step, under: Under, rest: Iterable[Step], available_bytes: int, remains_bytes: int) -> bool:
    """Return whether a step may begin before its turn.

    Args:
        rest: The other steps that have not begun, in the order of the plan.
    """
    if not fits_beside(step, under, available_bytes, remains_bytes):
        return False
    level = _level(under, available_bytes) - remains_bytes
    level -= sum(each.kept.high_bytes for each in (*under.running, step))
    for each in rest:
        rises = needed_bytes(each)
        if rises is None or rises > level:
            return False
        level -= each.kept.high_bytes
    return True


def gets_an_image(step: Step) -> bool:
    """Return whether a step may begin before its turn at all."""
    return isinstance(step.action, Build | Pull)


def is_alone(step: Step) -> bool:
    """Return whether nothing is built while a step runs: it removes build cache that may just have been made."""
    return isinstance(step.action, CleanCache | Reclaim) or (
        isinstance(step.action, RemoveImage) and step.action.with_cache
    )


def waits_for(place: int, steps: Sequence[Step], done: Collection[int], *, apart: bool = False) -> bool:
    """Return whether a step has to wait for one before it: of its service, of the stack, or what it is built on.

    Args:
        apart: Builds with a layer in common do not run at the same time: in containerd's store each of them would
            store it (``bench/bake.py``), and only the first one's estimate has its bytes.
    """
    holds_up = what_holds_up(steps[place], apart=apart)
    return any(number not in done and holds_up(each) for number, each in enumerate(steps[:place]))


def what_holds_up(step: Step, *, apart: bool = False) -> Callable[[Step], bool]:
    """Return what says of a step before this one whether this one waits for it; ``apart`` as above."""
    layers = _new_layers(step) if apart else {}
    below = step.action.spec.built_on if isinstance(step.action, Build) else ()

    def holds_up(before: Step) -> bool:
        return (
            before.service in {step.service, ""}
            or (before.service in below and isinstance(before.action, Build | Pull | Tag))
            or sum(layers.get(key, 0) for key in (_new_layers(before) if layers else ())) >= _DOUBLED_BYTES
        )

    return holds_up


def _new_layers(step: Step) -> dict[str, float]:
    """Return the bytes of the layers that a build makes, as its instructions name them; infinite where not known."""
    made = step.instructions if isinstance(step.action, Build) else ()
    return {
        each.key: each.disk.high_bytes if each.disk.known else math.inf
        for each in made
        if each.in_image and not each.text.upper().startswith("FROM ")
    }


def _level(under: Under, available_bytes: int) -> int:
    """Return what would be available if nothing that runs had written anything, at worst.

    What is available now is less than that by what they have written, and more by what those did not keep that ended.
    """
    return max(available_bytes, under.began_bytes - under.kept_bytes)


def needed_bytes(step: Step) -> int | None:
    """Return what a step needs at its worst moment; None where that is not known."""
    worst = at_worst(step.kept, step.transient)
    return max(0, worst.high_bytes) if step.kept.known and step.transient.known and worst.known else None
