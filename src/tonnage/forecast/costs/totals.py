"""Sums over instructions in the order of building: what stays, the worst moment, what is fetched, and whether it fits.

What has the same identity is counted once: a layer in its chain, a cache, the same work of another service. Promises
are made by the high figures, refusals by the low ones; between them it is said to be doubtful. So what the builder may
still have cached is taken off the low figures of a plan: how much of it fits this build nobody knows before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from tonnage.model.deploy.expected_build import ExpectedBuild, ExpectedInstruction
from tonnage.model.forecast.estimate import (
    BLOB,
    DATA_ROOT,
    LOAD,
    LOADED,
    MADE,
    NOTHING,
    UNPACKED,
    above,
    highest,
    total,
)
from tonnage.model.forecast.fit import FilesystemFit, FitVerdict
from tonnage.model.forecast.stack_forecast import FilesystemForecast, StackForecast

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tonnage.model.forecast.estimate import EngineKind, Estimate, Holding, InstructionForecast, ServiceForecast
    from tonnage.model.forecast.fit import Room
    from tonnage.model.inventory import Inventory


_PULLED = "pulled from "
_MOST_PARTS, _PART_BYTES = 24, 100_000
"""What of a layer a plan carries along to be told in a report: so many parts, from so many bytes on."""


class CountedLayers(Struct):
    """What has been counted already: identities of bytes that stay, of layers of images, and of work that was done."""

    holdings: set[str] = field(default_factory=set)
    images: set[str] = field(default_factory=set)
    work: set[str] = field(default_factory=set)


class Sums(Struct, frozen=True, kw_only=True):
    """The sums."""

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
    before = frozenset(seen.holdings)
    kept_on: dict[str, Estimate] = {}
    moments: list[Estimate] = []
    moments_on: dict[str, list[Estimate]] = {}
    download = image = kept = NOTHING
    for step in steps:
        repeated = bool(step.key) and step.key in seen.work
        if step.key:
            seen.work.add(step.key)
        image += _shown(step, seen)
        for holding in step.holdings:
            if holding.key in seen.holdings:
                continue
            seen.holdings.add(holding.key)
            if not holding.present and not holding.late:
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
    for holding in _late(steps, before):
        kept_on[holding.role] = kept_on.get(holding.role, NOTHING) + holding.kept
        kept += holding.kept
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


def _shown(step: InstructionForecast, seen: CountedLayers) -> Estimate:
    """Return what an instruction adds to images, as far as none has it already."""
    fresh = {each.key: each.image for each in step.holdings if each.image.high_bytes and each.key not in seen.images}
    seen.images.update(fresh)
    return total(fresh.values())


def _late(steps: Sequence[InstructionForecast], before: Collection[str]) -> list[Holding]:
    """Return what is written when all instructions are done, as far as it was not there before."""
    late = {each.key: each for step in steps for each in step.holdings if each.late}
    return [each for key, each in late.items() if key not in before and not each.present]


def without_unpacking(forecast: ServiceForecast) -> ServiceForecast:
    """Return the forecast of a build whose image is only pushed: the engine does not unpack it, nor is it loaded."""
    steps = tuple(_kept_packed(step) for step in forecast.steps if not step.key.startswith(LOAD))
    sums = add_up(steps, beside=forecast.beside)
    return replace(forecast, steps=steps, disk=sums.kept, transient=above(sums.peak, sums.kept))


def _kept_packed(step: InstructionForecast) -> InstructionForecast:
    holdings = tuple(each for each in step.holdings if not each.key.startswith(UNPACKED))
    if len(holdings) == len(step.holdings):
        return step
    disk = NOTHING if step.present else total(each.kept for each in holdings if not each.present)
    return replace(step, holdings=holdings, disk=disk)


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


def fit_into(forecast: StackForecast, rooms: Sequence[Room]) -> tuple[FilesystemFit, ...]:
    """Return how a stack fits some filesystems."""
    known = {role for room in rooms for role in room.roles}
    found = []
    for number, room in enumerate(rooms):
        its = [
            each for each in forecast.filesystems if each.role in room.roles or (not number and each.role not in known)
        ]
        if not its:
            continue
        one, every = total(each.one_after_the_other for each in its), total(each.all_at_once for each in its)
        fit, missing_bytes = _judge(one, every, room.headroom_bytes)
        found.append(
            FilesystemFit(
                room=room,
                fit=fit,
                missing_bytes=missing_bytes,
                kept=total(each.kept for each in its),
                one_after_the_other=one,
                all_at_once=every,
            )
        )
    return tuple(found)


def _judge(one: Estimate, every: Estimate, headroom_bytes: int) -> tuple[FitVerdict, int]:
    if not (one.known and every.known):
        return FitVerdict.DOUBTFUL, max(0, one.high_bytes - headroom_bytes)
    if every.high_bytes <= headroom_bytes:
        return FitVerdict.FITS, 0
    if one.high_bytes <= headroom_bytes:
        return FitVerdict.ONE_AT_A_TIME, every.high_bytes - headroom_bytes
    if one.low_bytes <= headroom_bytes:
        return FitVerdict.DOUBTFUL, one.high_bytes - headroom_bytes
    return FitVerdict.NOT, one.likely_bytes - headroom_bytes


def expected_builds(
    forecasts: Sequence[ServiceForecast],
    *,
    roles: Collection[str],
    elsewhere: Collection[str],
    cached_bytes: int,
    beside: bool = False,
    pulled: Collection[str] = (),
    cleans: bool = False,
    forgets: bool = False,
    stays: Collection[str] = (),
) -> dict[str, ExpectedBuild]:
    """Return what each build will do, in the order of the plan.

    Args:
        beside: A builder beside the engine builds; all that is not loaded is its cache.
        pulled: The services whose images are only pulled: which layers are there already is known.
        cleans: After each build its cache is removed, so that a later one makes again what it would have found there.
        forgets: Then a later one makes again what it would have found in an image, too.
        stays: Instructions whose layers stay all the same: images of their own have them.
    """
    seen = CountedLayers()
    found = {}
    for forecast in forecasts:
        if not forecast.found_out:
            continue
        done_bytes = 0 if forecast.service in pulled else cached_bytes
        before = frozenset(seen.holdings)
        sums = add_up(forecast.steps, beside=forecast.beside, seen=seen)
        kept = peak = NOTHING
        for role in sums.kept_on:
            if role in roles or role not in elsewhere:
                kept += sums.kept_on[role]
                peak += sums.peak_on[role]
        holdings = [
            holding
            for holding in {each.key: each for step in forecast.steps for each in step.holdings}.values()
            if not holding.present and (holding.role in roles or holding.role not in elsewhere)
        ]
        # Beside what an image has unpacked for itself, the builder keeps its own copy of the layer.
        copies = {each.key.removeprefix(UNPACKED) for each in holdings if each.key.startswith(UNPACKED)}
        cache = [
            each
            for each in holdings
            if not (each.key.startswith(LOADED) if beside else each.in_image and each.key not in copies)
            and each.key not in before
        ]
        loaded = total(each.kept for each in holdings if each.key.startswith(LOADED))
        found[forecast.service] = ExpectedBuild(
            cache=total(each.kept for each in cache),
            given_back=loaded if beside else kept,
            kept=_at_least_without(kept, done_bytes),
            transient=_at_least_without(above(peak, kept), done_bytes),
            instructions=tuple(
                ExpectedInstruction(
                    stage=step.stage,
                    line=step.line,
                    text=step.text,
                    key=step.key,
                    learn_key=step.learn_key,
                    image=step.image,
                    disk=total(each.kept for each in step.holdings if not each.present and not each.late),
                    transient=step.transient,
                    in_image=any(holding.in_image for holding in step.holdings),
                    layers=sum(
                        holding.in_image and not holding.key.startswith((BLOB, UNPACKED, LOADED))
                        for holding in step.holdings
                    ),
                    parts=_parts(step),
                )
                for step in forecast.steps
                if step.key
            ),
        )
        if cleans and forecast.service not in pulled:
            gone = [step for step in forecast.steps if step.key not in stays]
            kept_here = {each.key for step in forecast.steps if step.key in stays for each in step.holdings}
            _forget(seen, gone, {each.key for each in cache} - kept_here, everything=forgets)
    return found


def _parts(step: InstructionForecast) -> tuple[tuple[str, int], ...]:
    """Return what weighs in a layer, for a report to tell."""
    found = ((each.name, each.image.likely_bytes) for each in step.contributors)
    return tuple(each for each in found if each[1] >= _PART_BYTES)[:_MOST_PARTS]


def _forget(
    seen: CountedLayers, steps: Sequence[InstructionForecast], removed: Collection[str], *, everything: bool
) -> None:
    """Take off what was counted what a build left and what was removed after it.

    Args:
        everything: The builder makes all instructions anew, and images are made of other bytes then.
    """
    gone = set(removed)
    if everything:
        gone.update(each.key for step in steps if step.key.startswith(MADE) for each in step.holdings)
    seen.work.difference_update(step.key for step in steps if all(each.key in gone for each in step.holdings))
    seen.holdings -= gone


def cached_bytes(inventory: Inventory) -> int:
    """Return how many bytes a build may find done already."""
    records = sum(record.size_bytes for record in inventory.build_cache)
    return records + sum(image.unique_bytes for image in inventory.images if not image.references)


def pulled_beside(inventory: Inventory) -> frozenset[str]:
    """Return the names of the images that a builder beside the engine has pulled for itself."""
    told = [record.description for record in inventory.build_cache if record.builder]
    return frozenset(each.removeprefix(_PULLED).partition("@")[0] for each in told if each.startswith(_PULLED))


def _at_least_without(estimate: Estimate, count_bytes: int) -> Estimate:
    return replace(estimate, low_bytes=max(0, estimate.low_bytes - count_bytes)) if estimate.known else estimate
