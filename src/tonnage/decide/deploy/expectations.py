"""Puts expected bytes on steps: what each keeps and needs on top, and what is available after it and at its lowest.

What a build will do is told by, strongest first: a forecast that is exact, what was measured of the same step in
earlier runs, a forecast that is declared or assumed. What a pull will do the registry tells; what was measured counts
where it does not. A step of which none is there has the grade unknown, and then so
has everything after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tonnage.errors import UsageError
from tonnage.model.deploy.plan import (
    Build,
    CleanCache,
    Prove,
    Pull,
    Push,
    Refusal,
    RemoveImage,
    Restart,
    StartFirst,
    Switch,
)
from tonnage.model.deploy.rolling import StartRolling
from tonnage.model.forecast.estimate import NOTHING, UNKNOWN, Estimate, Grade, exactly
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tonnage.model.deploy.plan import ExpectedBuild, Step
    from tonnage.model.deploy.run import History
    from tonnage.model.inventory import Filesystem

# What a container writes when it starts nobody knows before; what is replaced gives its own back.
_STARTED = Estimate(-100_000_000, 0, 50_000_000, Grade.UNKNOWN)


def with_expectations(
    steps: Iterable[Step],
    *,
    available_bytes: int,
    history: History,
    builds: Mapping[str, ExpectedBuild] | None = None,
) -> tuple[Step, ...]:
    """Return the steps with their forecasts filled in."""
    available = exactly(available_bytes)
    done = []
    for step in steps:
        known = _known(step, history, (builds or {}).get(step.service))
        after = _less(available, known.kept)
        lowest = _less(available, _at_worst(known.kept, known.transient))
        done.append(msgspec.structs.replace(known, available_after=after, available_lowest=lowest))
        available = after
    return tuple(done)


def why_not_fit(steps: Iterable[Step], *, available_bytes: int, reserve_bytes: int, filesystem: str) -> Refusal | None:
    """Return why a plan must not be started, or None.

    A plan is refused when the reserve is crossed before it begins, or when even the most favourable figures cross it.
    Doubtful ones are let through: the guard stops a step that reaches the reserve.
    """
    steps = tuple(steps)
    if not steps:
        return None
    todo = "See what can be freed, or lower the reserve:\n  tonnage reclaim\n  tonnage deploy --keep-free SIZE"
    if available_bytes < reserve_bytes:
        return Refusal(
            what=f"{filesystem} is already below the reserve",
            why=f"{format_bytes(available_bytes)} are available and {format_bytes(reserve_bytes)} must remain:"
            f" {format_bytes(reserve_bytes - available_bytes)} are missing before anything is written.",
            todo=todo,
        )
    for step in steps:
        lowest = step.available_lowest
        if lowest.known and lowest.high_bytes < reserve_bytes:
            return Refusal(
                what=f"step {step.name} cannot fit on {filesystem}",
                why=f"It would leave {format_bytes(lowest.high_bytes)} at best ({lowest.grade}), and"
                f" {format_bytes(reserve_bytes)} must remain:"
                f" {format_bytes(reserve_bytes - lowest.high_bytes)} are missing.",
                todo=todo,
            )
    return None


def freed(unique_bytes: int) -> Estimate:
    """Return what removing an image gives back, from the bytes that the engine declares as only this image's."""
    return Estimate(-(unique_bytes * 107 // 100), -unique_bytes, -unique_bytes, Grade.DECLARED)


def _known(step: Step, history: History, build: ExpectedBuild | None) -> Step:
    learned = history.learned.get(step.learn_key) if step.learn_key else None
    if build is not None and isinstance(step.action, Build):
        step = msgspec.structs.replace(step, instructions=build.instructions)
        if learned is None or Grade.EXACT is build.kept.grade is build.transient.grade:
            return msgspec.structs.replace(step, kept=build.kept, transient=build.transient)
    told = build is not None and Grade.UNKNOWN not in {build.kept.grade, build.transient.grade}
    if build is not None and told and isinstance(step.action, Pull):
        # What was pulled before was another image of that name.
        return msgspec.structs.replace(step, kept=build.kept, transient=build.transient)
    if learned is not None:
        return msgspec.structs.replace(step, kept=learned.kept, transient=learned.transient)
    if build is not None and not step.kept.known:
        return _after_build(step, build)
    return step


def _after_build(step: Step, build: ExpectedBuild) -> Step:
    """Return a step that follows a forecast build, with what may be said of it; the others stay unknown."""
    match step.action:
        case CleanCache():
            given_back = build.cache
        case RemoveImage() if step.action.with_cache and step.action.references == (step.action.image,):
            given_back = build.given_back
        case Push():
            return msgspec.structs.replace(step, kept=NOTHING, transient=NOTHING)
        case StartFirst() | StartRolling() | Switch() | Restart() | Prove():
            return msgspec.structs.replace(step, kept=_STARTED, transient=NOTHING)
        case _:
            return step
    kept = Estimate(-given_back.high_bytes, -given_back.likely_bytes, 0, Grade.UNKNOWN)
    return msgspec.structs.replace(step, kept=kept if kept.low_bytes else NOTHING, transient=NOTHING)


def _at_worst(kept: Estimate, transient: Estimate) -> Estimate:
    # Bytes that a step gives back come free at its end, so they do not lower its worst moment.
    if not kept.known:
        return UNKNOWN
    if kept.high_bytes <= 0 and kept.grade is Grade.UNKNOWN:
        return transient
    floor = Estimate(max(0, kept.low_bytes), max(0, kept.likely_bytes), max(0, kept.high_bytes), kept.grade)
    return floor + transient


def _less(available: Estimate, taken: Estimate) -> Estimate:
    return available + Estimate(-taken.high_bytes, -taken.likely_bytes, -taken.low_bytes, taken.grade)


LEAST_DEFAULT_BYTES = 10**9
MOST_DEFAULT_BYTES = 10 * 10**9
DEFAULT_DIVISOR = 20


def reserve_bytes(filesystem: Filesystem, keep_free_bytes: int | None) -> int:
    """Return the reserve of a filesystem.

    Args:
        keep_free_bytes: The reserve as the user set it; None for the default: 5 % of the filesystem's size, at least
            1 GB and at most 10 GB.

    Returns:
        Bytes that must remain available.

    Raises:
        UsageError: The user's line is negative, or so high that no byte of the filesystem could be used.
    """
    if keep_free_bytes is None:
        share_bytes = filesystem.size_bytes // DEFAULT_DIVISOR
        return min(max(share_bytes, LEAST_DEFAULT_BYTES), MOST_DEFAULT_BYTES)
    if keep_free_bytes < 0:
        raise UsageError(
            f"keep-free is {keep_free_bytes} B, which is less than nothing",
            todo="Write a size such as 2GB, or 0B for no reserve.",
        )
    if keep_free_bytes >= filesystem.size_bytes:
        raise UsageError(
            f"keep-free is {format_bytes(keep_free_bytes)}, and the whole filesystem {filesystem.mount} has no more "
            f"than {format_bytes(filesystem.size_bytes)}",
            why="With that reserve not one byte of the filesystem could be used.",
            todo="Set x-tonnage.keep-free or --keep-free to less than the filesystem's size.",
        )
    return keep_free_bytes
