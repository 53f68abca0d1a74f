"""What builds do where services stand on shared images: a shared wheel is a piece of such an image, and of no install.

A service's build has the instruction of each image below it as its own first one, of the same identity: what services
have in common counts once by that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.model.forecast.estimate import exactly, total
from tonnage.model.forecast.sized_effects import Aside, BuildWork, SizedEffect, StageWork, StepWork

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tonnage.model.deploy.sharing import SharedImage
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.sized_effects import WrittenBytes

_UV = "uv"
_PIP_CACHE = "pip cache"


def work_of(images: Sequence[SharedImage], like: BuildWork, stage: int, uv_bytes: int) -> BuildWork:
    """Return what building the last of these images does, each of which stands on the one before.

    Args:
        like: The build of a service that stands on it.
        stage: The number of the stage that does.
        uv_bytes: What of the program that installs is sent to the builder.
    """
    lowest = _numbered(like, stage)
    pieces = _pieces(like, stage)
    steps = tuple(_step(image, lowest.line, pieces, uv_bytes) for image in images)
    alone = StageWork(index=0, name="shared", line=lowest.line, base=lowest.base, steps=steps)
    return BuildWork(service=images[-1].reference, stages=(alone,), target=0, python=like.python)


def with_shared(work: BuildWork, images: Sequence[SharedImage], stage: int) -> BuildWork:
    """Return what the build of a service does on shared images, the lowest first.

    Args:
        stage: The number of the stage that stands on them.
    """
    if not images:
        return work
    above = _standing_on(work, stage)
    lowest, pieces = _numbered(work, stage), _pieces(work, stage)
    shared = {wheel.piece for image in images for wheel in image.wheels}
    steps = tuple(_step(image, lowest.line, pieces) for image in images)
    stages = []
    for each in work.stages:
        its = tuple(_without(step, shared) for step in each.steps) if each.index in above else each.steps
        stages.append(replace(each, steps=(*steps, *its) if each.index == stage else its))
    return replace(work, stages=tuple(stages))


def _numbered(work: BuildWork, stage: int) -> StageWork:
    return next(each for each in work.stages if each.index == stage)


def _standing_on(work: BuildWork, stage: int) -> set[int]:
    """Return the numbers of a stage and of those that stand on it."""
    found = {stage}
    for each in work.stages:
        if each.on_stage in found:
            found.add(each.index)
    return found


def _pieces(work: BuildWork, stage: int) -> dict[str, WrittenBytes]:
    above = _standing_on(work, stage)
    steps = (step for each in work.stages if each.index in above for step in each.steps)
    found = (piece for step in steps for effect in step.effects for piece in effect.writes)
    return {piece.name: piece for piece in found if piece.wheel is not None}


def _step(image: SharedImage, line: int, pieces: Mapping[str, WrittenBytes], uv_bytes: int = 0) -> StepWork:
    sent = (Aside(key=f"source:{_UV}", name="the program uv", disk=exactly(uv_bytes)),) if uv_bytes else ()
    writes = tuple(pieces[wheel.piece] for wheel in image.wheels if wheel.piece in pieces)
    return StepWork(
        line=line,
        text=f"RUN install what {', '.join(image.services)} share",
        effects=(SizedEffect(writes=writes),),
        identity=image.reference,
        sources=sent,
        how="the wheels that services share",
    )


def _without(step: StepWork, shared: Collection[str]) -> StepWork:
    """Return an instruction without the wheels that lie below it; what was learned of it said nothing of that."""
    effects = tuple(_effect_without(effect, shared) for effect in step.effects)
    return step if effects == step.effects else replace(step, effects=effects, learn_key="", lesson=None)


def _effect_without(effect: SizedEffect, shared: Collection[str]) -> SizedEffect:
    moved = [piece for piece in effect.writes if piece.wheel is not None and piece.name in shared]
    if not moved:
        return effect
    # pip keeps each archive until all are installed, and where it has a cache for longer.
    fetched = total(piece.download for piece in moved)
    return replace(
        effect,
        writes=tuple(_cache_without(each, fetched) for each in effect.writes if each not in moved),
        transient=_less(effect.transient, fetched),
        asides=tuple(replace(each, disk=_less(each.disk, fetched)) for each in effect.asides),
    )


def _cache_without(piece: WrittenBytes, fetched: Estimate) -> WrittenBytes:
    if piece.name != _PIP_CACHE:
        return piece
    less = {name: _less(getattr(piece, name), fetched) for name in ("image", "disk", "compressed")}
    return replace(piece, **less)


def _less(estimate: Estimate, other: Estimate) -> Estimate:
    return replace(
        estimate,
        low_bytes=max(0, estimate.low_bytes - other.high_bytes),
        likely_bytes=max(0, estimate.likely_bytes - other.likely_bytes),
        high_bytes=max(0, estimate.high_bytes - other.low_bytes),
    )
