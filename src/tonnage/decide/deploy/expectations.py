"""Puts expected bytes on steps: what each keeps and needs on top, and what is available after it and at its lowest.

What a build will do is told by, strongest first: a forecast that is exact, what was measured of the same step in
earlier runs, a forecast that is declared or assumed. What a pull will do the registry tells; what was measured counts
where it does not. A step of which none is there has the grade unknown, and then so has everything after it. How much
is missing for a plan is told here alone: a refusal, a forecast's verdict and the summary of a job show this figure.
"""

from __future__ import annotations

from contextlib import suppress
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
    RemoveContainer,
    RemoveImage,
    RemoveService,
    Restart,
    StartFirst,
    Switch,
)
from tonnage.model.deploy.renewal import RemoveNetworks
from tonnage.model.deploy.rolling import StartRolling
from tonnage.model.forecast.estimate import NOTHING, RECORDS, UNKNOWN, Estimate, Grade, exactly, weakest
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tonnage.model.deploy.expected_build import ExpectedBuild
    from tonnage.model.deploy.plan import Plan, Step
    from tonnage.model.deploy.run import History, OtherRun
    from tonnage.model.forecast.learned import LearnedStep
    from tonnage.model.inventory import Filesystem

# What a container writes when it starts, and until it is healthy, nobody knows before; what is replaced gives its own
# back.
STARTED = Estimate(-100_000_000, 0, 50_000_000, Grade.UNKNOWN)


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
        known = _known(step, history, (builds or {}).get(step.service), forecast=bool(builds))
        after = _less(available, given_back(known) if isinstance(known.action, CleanCache) else known.kept)
        lowest = _less(available, at_worst(known.kept, known.transient))
        done.append(msgspec.structs.replace(known, available_after=after, available_lowest=lowest))
        available = after
    return tuple(done)


_WEIGHS_BYTES = 1_000_000
# What a few instructions at once may need of their own while they work.
_OWN_NEEDS_BYTES = 4_000_000
WAIT = "Wait until that one has ended, and try again."


def why_not_fit(
    steps: Iterable[Step],
    *,
    available_bytes: int,
    reserve_bytes: int,
    filesystem: str,
    others: Sequence[OtherRun] = (),
) -> Refusal | None:
    """Return why a plan must not be started, or None.

    A plan is refused when the reserve is crossed before it begins, or when even the most favourable figures cross it.
    Doubtful ones are let through: the guard stops a step that reaches the reserve. What other runs claim must remain
    for them, but keeps no plan from beginning of which nobody knows that it takes anything.

    Args:
        others: Runs that may still write to the same filesystem.
    """
    steps = tuple(steps)
    if not steps:
        return None
    if available_bytes < reserve_bytes:
        return Refusal(
            what=f"{filesystem} is already below the reserve",
            why=f"{format_bytes(available_bytes)} are available and {format_bytes(reserve_bytes)} must remain:"
            f" {format_bytes(reserve_bytes - available_bytes)} are missing before anything is written.",
            todo="See what can be freed, or lower the reserve:\n  tonnage reclaim\n  tonnage deploy --keep-free SIZE",
            missing_bytes=reserve_bytes - available_bytes,
        )
    taken_bytes = claimed_bytes(others)
    remains_bytes = reserve_bytes + taken_bytes
    crossing = next(
        (each for each in steps if each.available_lowest.known and each.available_lowest.high_bytes < remains_bytes),
        None,
    )
    if crossing is None:
        return None
    worst = min((each.available_lowest for each in steps if each.available_lowest.known), key=lambda e: e.likely_bytes)
    missing_bytes = remains_bytes - worst.likely_bytes
    todo = "See what would make it fit, and what can be freed:\n  tonnage forecast\n  tonnage reclaim"
    if missing_bytes <= reserve_bytes:
        todo += "\nOr lower the reserve:\n  tonnage deploy --keep-free SIZE"
    claimed = ""
    if taken_bytes:
        runs = "; ".join(other.shown for other in others if other.claimed_bytes)
        claimed = f" and the {format_bytes(taken_bytes)} that may still be written by {runs}"
        todo = f"{WAIT}\n{todo}"
    return Refusal(
        what=f"step {crossing.name} cannot fit on {filesystem}",
        why=f"{crossing.why_there}At its worst moment the plan needs"
        f" {format_bytes(available_bytes - worst.likely_bytes)} ({worst.grade}),"
        f" and {format_bytes(max(0, available_bytes - remains_bytes))} are available above the reserve of"
        f" {format_bytes(reserve_bytes)}{claimed}: {format_bytes(missing_bytes)} are missing.",
        todo=todo,
        missing_bytes=missing_bytes,
    )


def claims_of(plan: Plan) -> tuple[int, ...]:
    """Return, for each step, how many bytes this and all later steps may take at their worst moment.

    What is not known is not claimed: nobody could wait for it.
    """
    before = [exactly(plan.available_bytes), *(step.available_after for step in plan.steps[:-1])]
    claims: list[int] = []
    lowest_bytes: int | None = None
    for begun, step in zip(reversed(before[: len(plan.steps)]), reversed(plan.steps), strict=True):
        if step.available_lowest.known:
            lowest = step.available_lowest.low_bytes
            lowest_bytes = lowest if lowest_bytes is None else min(lowest_bytes, lowest)
        claims.append(max(0, begun.likely_bytes - lowest_bytes) if begun.known and lowest_bytes is not None else 0)
    return tuple(reversed(claims))


def claimed_bytes(others: Sequence[OtherRun]) -> int:
    """Return how many bytes others may still write."""
    return sum(other.claimed_bytes for other in others)


def freed(unique_bytes: int) -> Estimate:
    """Return what removing an image gives back, from the bytes that the engine declares as only this image's."""
    return Estimate(-(unique_bytes * 107 // 100), -unique_bytes, -unique_bytes, Grade.DECLARED)


def _known(step: Step, history: History, build: ExpectedBuild | None, *, forecast: bool) -> Step:
    learned = history.learned.get(step.learn_key) if step.learn_key else None
    if build is not None and isinstance(step.action, Build):
        step = msgspec.structs.replace(step, instructions=build.instructions)
        if learned is None or _is_counted(build) or _is_of_others(learned, build):
            return msgspec.structs.replace(step, kept=build.kept, transient=build.transient)
    told = build is not None and Grade.UNKNOWN not in {build.kept.grade, build.transient.grade}
    if build is not None and told and isinstance(step.action, Pull):
        # What was pulled before was another image of that name.
        return msgspec.structs.replace(step, kept=build.kept, transient=build.transient)
    if learned is not None:
        kept = learned.kept
        if isinstance(step.action, StartFirst | StartRolling | Prove):
            # They free nothing: what came free meanwhile was another program's.
            kept = kept.each(lambda figure: max(0, figure))
        return msgspec.structs.replace(step, kept=kept, transient=learned.transient)
    if forecast and not step.kept.known:
        return _besides_builds(step, build)
    return step


def _is_counted(build: ExpectedBuild) -> bool:
    """Return whether a build was counted, but for what builders need of their own while they work."""
    needed = build.transient
    counted_bytes = needed.high_bytes if needed.grade is Grade.EXACT else dict(needed.parts).get(Grade.EXACT, 0)
    return build.kept.grade is Grade.EXACT and needed.known and needed.high_bytes - counted_bytes <= _OWN_NEEDS_BYTES


def _is_of_others(learned: LearnedStep, build: ExpectedBuild) -> bool:
    """Return whether a build has an instruction that weighs, and that none of the builds learned from carried out.

    What they measured says nothing of it: it was not there, or the builder had it already.
    """
    if learned.ran is None:
        return False
    return any(
        (not each.disk.known or each.disk.high_bytes > _WEIGHS_BYTES) and each.text not in learned.ran
        for each in build.instructions
    )


def _besides_builds(step: Step, build: ExpectedBuild | None) -> Step:
    """Return a step of a plan whose builds were forecast, with what may be said of it; the others stay unknown."""
    match step.action:
        case Pull() if build is not None:
            return msgspec.structs.replace(step, kept=build.kept, transient=build.transient)
        case CleanCache() if build is not None:
            # All that the build left and its image does not use goes, so it weighs in no later step.
            cache, grade = build.cache, weakest((build.cache.grade, Grade.DECLARED))
            kept = Estimate(-cache.high_bytes, -cache.likely_bytes, -cache.low_bytes, grade)
            return _takes(step, kept if cache.high_bytes else NOTHING)
        case RemoveImage() if build and step.action.with_cache and step.action.references == (step.action.image,):
            given = build.given_back
            kept = Estimate(-given.high_bytes, -given.likely_bytes, 0, Grade.UNKNOWN)
            return _takes(step, kept if kept.low_bytes else NOTHING)
        case Push() | RemoveContainer() | RemoveNetworks() | RemoveService() | Prove():
            return _takes(step, RECORDS)
        case StartFirst() | StartRolling() | Switch() | Restart():
            return _takes(step, STARTED)
        case _:
            return step


def _takes(step: Step, kept: Estimate) -> Step:
    return msgspec.structs.replace(step, kept=kept, transient=NOTHING)


def given_back(clean: Step) -> Estimate:
    """Return what removing build cache does to a sum in which that cache counts: each figure loses its own part.

    How much a build left is not known apart from how much of it goes, unless both were measured by themselves.
    """
    kept = clean.kept
    if kept.grade is Grade.LEARNED:
        return kept
    return Estimate(kept.high_bytes, kept.likely_bytes, kept.low_bytes, kept.grade)


def at_worst(kept: Estimate, transient: Estimate) -> Estimate:
    """Return what a step needs at its worst moment."""
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


def reserves_of(filesystems: Sequence[Filesystem], keep_free_bytes: int | None) -> dict[str, int]:
    """Return the reserve of each filesystem by its mount; the first one is that of the engine.

    Raises:
        UsageError: The user's line is negative, or so high that no byte of the first one could be used.
    """
    data_root, *others = filesystems
    found = {data_root.mount: reserve_bytes(data_root, keep_free_bytes)}
    for disk in others:
        # A size that suits the data root may exceed another filesystem as a whole.
        usable = keep_free_bytes is not None and keep_free_bytes < disk.size_bytes
        found[disk.mount] = reserve_bytes(disk, keep_free_bytes if usable else None)
    return found


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
            f"keep-free is {keep_free_bytes} B, which is negative",
            todo="Write a size such as 2GB, or 0B for no reserve.",
        )
    if keep_free_bytes >= filesystem.size_bytes:
        raise UsageError(
            f"keep-free is {format_bytes(keep_free_bytes)}, but all of {filesystem.mount} is only"
            f" {format_bytes(filesystem.size_bytes)}",
            why="With that reserve nothing could be written.",
            todo="Set x-tonnage.keep-free or --keep-free to less than the filesystem's size.",
        )
    return keep_free_bytes


def line_of(filesystem: Filesystem, plan: Plan) -> int:
    """Return the reserve of a filesystem while a plan is carried out."""
    if filesystem.mount == plan.filesystem:
        return plan.reserve_bytes
    with suppress(UsageError):
        return reserve_bytes(filesystem, plan.policy.keep_free_bytes)
    return reserve_bytes(filesystem, None)
