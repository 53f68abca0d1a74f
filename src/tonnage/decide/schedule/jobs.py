"""What is put in order: jobs with the bytes that they need and keep, and the limits within which they run.

Bytes are those of high estimates, one figure for each filesystem, in the order of the limits'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import TonnageError

if TYPE_CHECKING:
    from collections.abc import Sequence


class ScheduledJob(Struct, frozen=True, kw_only=True):
    """Something that is done once, from its begin to its end.

    Args:
        needed: The most bytes that it holds while it runs, on each filesystem.
        kept: What of them stays at its end; negative where it frees more than it writes.
        cores: How many cores it keeps busy.
        network: Which share of the network it takes, in per cent.
        after: The jobs that must have ended before it begins.
    """

    name: str
    needed: tuple[int, ...]
    kept: tuple[int, ...]
    seconds: int = 1
    cores: int = 1
    network: int = 0
    after: tuple[str, ...] = ()


class RunLimits(Struct, frozen=True, kw_only=True):
    """Within what jobs run.

    Args:
        headroom: Bytes above the line, on each filesystem.
        at_once: How many jobs may run at the same time.
    """

    headroom: tuple[int, ...]
    cores: int = 1
    network: int = 100
    at_once: int = 1


def links(jobs: Sequence[ScheduledJob]) -> list[tuple[int, ...]]:
    """Return, for each job, the numbers of those that it waits for directly: none that follow from others.

    Raises:
        TonnageError: Two have one name, or they wait for each other in a circle.
    """
    numbers = {job.name: number for number, job in enumerate(jobs)}
    if len(numbers) != len(jobs):
        raise TonnageError("two jobs have one name")
    told = [{numbers[name] for name in job.after if name in numbers} for job in jobs]
    # Sets of jobs as the bits of a number: of hundreds of services nearly every job waits for all before it.
    above: dict[int, int] = {}

    def all_before(number: int, path: frozenset[int]) -> int:
        if number in path:
            raise TonnageError(f"the job {jobs[number].name} waits for itself")
        if number not in above:
            here = path | {number}
            found = 0
            for each in told[number]:
                found |= all_before(each, here) | 1 << each
            above[number] = found
        return above[number]

    def direct(before: set[int]) -> tuple[int, ...]:
        implied = 0
        for each in before:
            implied |= above[each]
        return tuple(sorted(each for each in before if not implied >> each & 1))

    for number in range(len(jobs)):
        all_before(number, frozenset())
    return [direct(before) for before in told]
