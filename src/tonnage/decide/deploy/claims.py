"""What runs on one engine may still write: what a plan claims, and what others' claims leave of the disk for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.model.forecast.estimate import exactly
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.deploy.plan import Plan, Refusal
    from tonnage.model.deploy.run import OtherRun


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


def with_others(refusal: Refusal | None, others: Sequence[OtherRun]) -> Refusal | None:
    """Return a refusal that says whose claims are among what must remain."""
    taken_bytes = claimed_bytes(others)
    if refusal is None or not taken_bytes:
        return refusal
    runs = "; ".join(other.shown for other in others if other.claimed_bytes)
    return replace(
        refusal,
        why=f"{refusal.why} In that are {format_bytes(taken_bytes)} that may still be written by {runs}.",
        todo=f"Wait until that one has ended, and try again.\n{refusal.todo}",
    )
