"""Sums over instructions in the order of building: what stays, the worst moment, what is fetched.

What has the same identity is counted once: a layer in its chain, a cache, the same work of another service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.model.forecast.estimate import DATA_ROOT, NOTHING, highest, total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.estimate import Estimate, InstructionForecast


class CountedLayers(Struct):
    """What has been counted already: identities of bytes that stay, of layers of images, and of work that was done."""

    holdings: set[str] = field(default_factory=set)
    images: set[str] = field(default_factory=set)
    work: set[str] = field(default_factory=set)


class Sums(Struct, frozen=True, kw_only=True):
    """The sums.

    Args:
        kept: What stays, on all filesystems together.
        peak: The worst moment, on all filesystems together.
        download: What is fetched.
        image: Bytes of the layers that were new, as ``docker images`` counts them.
        kept_on: What stays, by filesystem.
        peak_on: The worst moment, by filesystem.
    """

    kept: Estimate
    peak: Estimate
    download: Estimate
    image: Estimate
    kept_on: dict[str, Estimate]
    peak_on: dict[str, Estimate]


def add_up(
    steps: Sequence[InstructionForecast], *, beside: Estimate = NOTHING, seen: CountedLayers | None = None
) -> Sums:
    """Add up instructions in the order in which they are built."""
    seen = seen or CountedLayers()
    kept_on: dict[str, Estimate] = {}
    moments: list[Estimate] = []
    moments_on: dict[str, list[Estimate]] = {}
    download = image = kept = NOTHING
    for step in steps:
        repeated = bool(step.key) and step.key in seen.work
        if step.key:
            seen.work.add(step.key)
        for holding in step.holdings:
            if holding.image.high_bytes and holding.key not in seen.images:
                seen.images.add(holding.key)
                image += holding.image
            if holding.key in seen.holdings:
                continue
            seen.holdings.add(holding.key)
            if not holding.present:
                kept_on[holding.role] = kept_on.get(holding.role, NOTHING) + holding.kept
                kept += holding.kept
                download += holding.download
        if repeated or step.present:
            continue
        on_top = step.transient + step.others
        moments.append(kept + on_top + beside)
        for role in {*kept_on, step.role}:
            here = (on_top if role == step.role else NOTHING) + (beside if role == DATA_ROOT else NOTHING)
            moments_on.setdefault(role, []).append(kept_on.get(role, NOTHING) + here)
    if beside.high_bytes:
        moments.append(kept + beside)
        kept_on.setdefault(DATA_ROOT, NOTHING)
    return Sums(
        kept=kept,
        peak=highest([*moments, kept]),
        download=download,
        image=image,
        kept_on=kept_on,
        peak_on={role: highest([*moments_on.get(role, ()), each]) for role, each in kept_on.items()},
    )


def summed(sums: Sequence[Sums]) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Return what stays and the sum of the worst moments, by filesystem, over several services."""
    roles = {role for each in sums for role in each.kept_on}
    kept = {role: total(each.kept_on.get(role, NOTHING) for each in sums) for role in roles}
    peaks = {role: total(each.peak_on.get(role, NOTHING) for each in sums) for role in roles}
    return kept, peaks
