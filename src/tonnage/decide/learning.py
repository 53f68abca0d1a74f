"""What earlier builds taught, put in place of what is only declared or assumed. What is exact stays.

An instruction is known again by its normalised text. What was measured replaces the sum of what it was thought to
write; parts of it that are exact keep their figures, and the rest takes the difference.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.model.build_work import Deed
from tonnage.model.forecast import NOTHING, Estimate, Grade, total

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.build_work import Piece, StepWork
    from tonnage.model.policy import Taught


def learn_key(service: str, text: str) -> str:
    """Return under which key an instruction of a service is known again: how many blanks it has does not count.

    Args:
        service: The service; empty where the same words do the same in every service.
        text: The instruction, variables put in.

    Returns:
        The key.
    """
    normal = re.sub(r"\s+", " ", text.replace("\\\n", " ")).strip()
    return "instruction/" + hashlib.sha256(f"{service} {normal}".encode(errors="surrogatepass")).hexdigest()[:24]


def with_learned(step: StepWork, taught: Mapping[str, Taught]) -> StepWork:
    """Return an instruction with what earlier runs taught in place of what is not exact.

    Args:
        step: The instruction.
        taught: By learn key.

    Returns:
        The instruction, unchanged where everything is exact or nothing was learned.
    """
    lesson = taught.get(step.learn_key) if step.learn_key else None
    pieces = [piece for deed in step.deeds for piece in deed.writes]
    doubtful = [piece for piece in pieces if piece.disk.grade is not Grade.EXACT]
    if lesson is None or not doubtful:
        return step
    certain_image = total(piece.image for piece in pieces if piece.disk.grade is Grade.EXACT)
    certain_disk = total(piece.disk for piece in pieces if piece.disk.grade is Grade.EXACT)
    image = _rest(lesson.image, certain_image)
    # Files in whole blocks take up to this much more than their bytes.
    disk = _rest(lesson.disk, certain_disk) if lesson.disk.known else _in_blocks(image)
    shares = _shares(doubtful)
    source = f"measured in {lesson.runs} earlier build{'s' if lesson.runs != 1 else ''}"
    deeds = []
    for deed in step.deeds:
        writes = []
        for piece in deed.writes:
            if piece.disk.grade is Grade.EXACT:
                writes.append(piece)
                continue
            part, whole = shares.pop(0)
            writes.append(
                replace(
                    piece,
                    image=_share(image, part, whole),
                    disk=_share(disk, part, whole),
                    compressed=_share(image, part, whole),
                    transient=NOTHING,
                    download=_no_guess(piece.download, image),
                    source=source,
                )
            )
        deeds.append(replace(deed, writes=tuple(writes), transient=NOTHING, removes=()))
    transient = lesson.transient if lesson.transient.known else total(deed.transient for deed in step.deeds)
    return replace(step, deeds=(*deeds, Deed(transient=transient)), how=source)


def _shares(pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    """Return of each piece its part of the whole, by what was thought of it."""
    whole = sum(piece.disk.likely_bytes for piece in pieces)
    if not whole:
        return [(1, len(pieces)) for _ in pieces]
    return [(piece.disk.likely_bytes, whole) for piece in pieces]


def _rest(measured: Estimate, certain: Estimate) -> Estimate:
    low, likely, high = (
        max(0, measured.low_bytes - certain.high_bytes),
        max(0, measured.likely_bytes - certain.likely_bytes),
        max(0, measured.high_bytes - certain.low_bytes),
    )
    return Estimate(low, likely, high, Grade.LEARNED)


def _in_blocks(image: Estimate) -> Estimate:
    return Estimate(image.low_bytes, image.likely_bytes * 104 // 100, image.high_bytes * 125 // 100, Grade.LEARNED)


def _share(whole: Estimate, part: int, of: int) -> Estimate:
    return Estimate(
        whole.low_bytes * part // of, whole.likely_bytes * part // of, -(-whole.high_bytes * part // of), whole.grade
    )


def _no_guess(download: Estimate, image: Estimate) -> Estimate:
    """Return what is fetched; where that was assumed, at most what was written."""
    if download.grade is not Grade.UNKNOWN:
        return download
    return Estimate(0, image.likely_bytes, image.high_bytes, Grade.LEARNED)
