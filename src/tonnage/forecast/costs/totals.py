"""Sums over instructions in the order of building: what stays, the worst moment, what is fetched.

What has the same identity is counted once: a layer in its chain, a cache, the same work of another service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.model.forecast.estimate import (
    DATA_ROOT,
    NOTHING,
    FilesystemForecast,
    StackForecast,
    above,
    highest,
    total,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.estimate import EngineKind, Estimate, InstructionForecast, ServiceForecast


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


def forecast_stack(stack: str, engine: EngineKind, services: Sequence[ServiceForecast]) -> StackForecast:
    """Add up the services of a stack: layers that they share once, one service after the other and all at once."""
    seen = CountedLayers()
    sums = [add_up(service.steps, beside=service.beside, seen=seen) for service in services]
    filesystems = []
    for role in sorted({role for each in sums for role in each.kept_on}):
        peaks = [each.peak_on.get(role, NOTHING) for each in sums]
        kept, peak = _in_a_row([each.kept_on.get(role, NOTHING) for each in sums], peaks)
        filesystems.append(FilesystemForecast(role=role, kept=kept, one_after_the_other=peak, all_at_once=total(peaks)))
    kept, peak = _in_a_row([each.kept for each in sums], [each.peak for each in sums])
    return StackForecast(
        stack=stack,
        engine=engine,
        services=tuple(services),
        image=total(each.image for each in sums),
        disk=kept,
        transient=above(peak, kept),
        download=total(each.download for each in sums),
        filesystems=tuple(filesystems),
    )


def _in_a_row(kept: Sequence[Estimate], peaks: Sequence[Estimate]) -> tuple[Estimate, Estimate]:
    """Return what stays of all, and the worst moment when one begins after the other has ended."""
    before = NOTHING
    moments = []
    for stays, peak in zip(kept, peaks, strict=True):
        moments.append(before + peak)
        before += stays
    return before, highest([*moments, before])
