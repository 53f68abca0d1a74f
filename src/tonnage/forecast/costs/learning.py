"""What earlier builds taught, put in place of what is only declared or assumed. What is exact stays.

A command is known again by its words. The same words may write other bytes elsewhere, so whose lesson it is counts,
strongest first:

1. the same service of the same stack;
2. any service in which the same instructions came before, on the same image, and no file of a context: what they
   write depends on nothing else. Its range is made wider, because time passed;
3. the same words anywhere: a better guess than the bound that is assumed, but a guess. The grade stays ``unknown``, and
   the high figure the bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.model.forecast.compression import compressed
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, total, weakest
from tonnage.model.forecast.learned import lesson_keys
from tonnage.model.forecast.sized_effects import Lesson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.forecast.costs.layer_costs import LayerCost
    from tonnage.model.forecast.learned import LearnedInstruction
    from tonnage.model.forecast.sized_effects import WrittenBytes


def lesson_of(key: str, taught: Mapping[str, LearnedInstruction]) -> Lesson | None:
    """Return what was learned of an instruction by its learn key; None where that is nothing."""
    for number, each in enumerate(lesson_keys(key)):
        found = taught.get(each) if each else None
        if found is None:
            continue
        builds = f"{found.runs} earlier build{'s' if found.runs != 1 else ''}"
        if number == 0:
            return Lesson(taught=found, source=f"measured in {builds}")
        if number == 1:
            return Lesson(taught=_wider(found), source=f"measured in {builds} of other services")
        return Lesson(taught=found, guess=True, source=f"guessed: the same words in {builds} of other services")
    return None


def with_lesson(cost: LayerCost, lesson: Lesson | None, *, tried: bool = False) -> LayerCost:
    """Return what an instruction costs with what earlier runs taught in place of what is not exact.

    Args:
        tried: How far its files compress was tried on themselves: earlier files say less.
    """
    if lesson is None:
        return cost
    doubtful = [each for each in cost.pieces if _is_doubtful(each, lesson)]
    rests = _rests(cost, doubtful, lesson)
    made = {id(old): _taught(old, part, rests, lesson) for old, part in zip(doubtful, _shares(doubtful), strict=True)}
    # They are the last of what is visible.
    pieces = tuple(made.get(id(each), each) for each in cost.pieces)
    transient = cost.transient
    if not lesson.guess and lesson.taught.transient.known and (doubtful or transient.grade is not Grade.EXACT):
        transient = lesson.taught.transient
    gone = _gone(cost)
    disk, packed = total(each.disk for each in pieces), total(each.compressed for each in pieces)
    return replace(
        cost,
        pieces=pieces,
        image=total(each.image for each in pieces),
        disk=disk,
        transient=transient,
        download=total((*(each.download for each in pieces), gone)),
        compressed=packed if tried else _packed(disk, packed, lesson),
        visible=(*cost.visible[: len(cost.visible) - len(pieces)], *pieces),
    )


def _is_doubtful(piece: WrittenBytes, lesson: Lesson) -> bool:
    grade = piece.disk.grade
    return grade is Grade.UNKNOWN if lesson.guess else grade is not Grade.EXACT


def _rests(cost: LayerCost, doubtful: Sequence[WrittenBytes], lesson: Lesson) -> tuple[Estimate, Estimate]:
    """Return image and disk of what was measured without what is known better."""
    open_ids = set(map(id, doubtful))
    certain = [each for each in cost.pieces if id(each) not in open_ids]
    if lesson.taught.compressed.known:
        unpacked = _rest(lesson.taught.image, total(each.disk for each in certain))
        return unpacked, unpacked
    image = _rest(lesson.taught.image, total(each.image for each in certain))
    if not lesson.taught.disk.known:
        return image, _in_blocks(image)
    beside = (*(each.disk for each in certain), *(each.disk for each in cost.asides))
    return image, _rest(lesson.taught.disk, total(beside))


def _taught(
    old: WrittenBytes, share: tuple[int, int], rests: tuple[Estimate, Estimate], lesson: Lesson
) -> WrittenBytes:
    image, disk = (rest.share(*share) for rest in rests)
    download = _no_guess(old.download, image)
    if lesson.guess:
        download = old.download
        image, disk = _guessed(old.image, image), _guessed(old.disk, disk)
    packed = compressed(image)
    return replace(old, image=image, disk=disk, compressed=packed, download=download, source=lesson.source)


def _packed(disk: Estimate, bound: Estimate, lesson: Lesson) -> Estimate:
    """Return what a layer takes compressed: as far as it compressed in earlier builds, a tenth more or less."""
    unpacked, packed = lesson.taught.image.likely_bytes, lesson.taught.compressed
    if not packed.known or not unpacked:
        return bound
    taught = disk.share(packed.likely_bytes, unpacked)
    grade = weakest((disk.grade, packed.grade))
    if lesson.guess:
        return Estimate(0, taught.likely_bytes, max(bound.high_bytes, taught.high_bytes), grade)
    return Estimate(taught.low_bytes * 9 // 10, taught.likely_bytes, taught.high_bytes * 11 // 10, grade)


def _gone(cost: LayerCost) -> Estimate:
    """Return what is fetched for what the instruction removes again."""
    kept = total(each.download for each in cost.pieces)
    gone = Estimate(
        max(0, cost.download.low_bytes - kept.low_bytes),
        max(0, cost.download.likely_bytes - kept.likely_bytes),
        max(0, cost.download.high_bytes - kept.high_bytes),
        cost.download.grade,
    )
    return gone if gone.high_bytes else NOTHING


def _shares(pieces: Sequence[WrittenBytes]) -> list[tuple[int, int]]:
    """Return of each piece its part of the whole, by what was thought of it."""
    whole = sum(piece.disk.likely_bytes for piece in pieces)
    if not whole:
        return [(1, len(pieces)) for _ in pieces]
    return [(piece.disk.likely_bytes, whole) for piece in pieces]


def _rest(measured: Estimate, certain: Estimate) -> Estimate:
    return Estimate(
        max(0, measured.low_bytes - certain.high_bytes),
        max(0, measured.likely_bytes - certain.likely_bytes),
        max(0, measured.high_bytes - certain.low_bytes),
        Grade.LEARNED,
    )


def _wider(taught: LearnedInstruction) -> LearnedInstruction:
    def wider(estimate: Estimate) -> Estimate:
        if not estimate.known:
            return estimate
        return replace(estimate, low_bytes=estimate.low_bytes * 9 // 10, high_bytes=estimate.high_bytes * 11 // 10)

    return replace(taught, image=wider(taught.image), disk=wider(taught.disk), transient=wider(taught.transient))


def _guessed(bound: Estimate, guess: Estimate) -> Estimate:
    high_bytes = max(bound.high_bytes, guess.high_bytes * 2)
    return Estimate(min(bound.low_bytes, guess.low_bytes), guess.likely_bytes, high_bytes, Grade.UNKNOWN)


def _in_blocks(image: Estimate) -> Estimate:
    # Files in whole blocks take up to this much more than their bytes.
    return Estimate(image.low_bytes, image.likely_bytes * 104 // 100, image.high_bytes * 125 // 100, Grade.LEARNED)


def _no_guess(download: Estimate, image: Estimate) -> Estimate:
    """Return what is fetched; where that was assumed, at most what was written: that was measured, and this was not."""
    if download.grade is not Grade.UNKNOWN:
        return download
    return Estimate(0, image.likely_bytes, image.high_bytes, Grade.UNKNOWN)
