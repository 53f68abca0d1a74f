"""What packages of the system may have at a path: nobody lists their files, and one place stands for each of them.

They put programs and libraries into the directories of the system, never below ``/usr/local``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.model.forecast.effects import PACKAGES_OF
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, weakest
from tonnage.model.forecast.sized_effects import WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Sequence

# Where the packages of apt are said to be.
_PLACE = "/usr/share"
_PROGRAM_BYTES = 100_000_000
_AMONG_THEM = regex(r"/(?:usr(?:/share)?|(?:usr/)?(?:lib|lib32|lib64|libexec|bin|sbin|include)(?:/.*)?)/?\*?")
_PROGRAM = regex(r"/(?:usr/)?s?bin/[^/*?\[]+")


def of_packages_at(
    path: str, into: str, pieces: Sequence[WrittenBytes], counted: Sequence[WrittenBytes]
) -> list[WrittenBytes]:
    """Return what packages among some pieces may have at a path: of each from nothing to all, of one a program.

    Args:
        counted: Pieces that are known to be there, or may be, in any case.
    """
    if not _AMONG_THEM.fullmatch(path):
        return []
    known = set(map(id, counted))
    packages = [each for each in pieces if _is_package(each) and each.image.high_bytes and id(each) not in known]
    if packages and _PROGRAM.fullmatch(path):
        largest = max(packages, key=lambda each: each.image.high_bytes)
        return [_part_of(largest, path, into, (0, _PROGRAM_BYTES))]
    return [_part_of(each, path, into, (each.image.likely_bytes // 2, each.image.high_bytes)) for each in packages]


def _is_package(piece: WrittenBytes) -> bool:
    return bool(piece.package) or piece.place.startswith(PACKAGES_OF) or (piece.place == _PLACE and not piece.files)


def _part_of(piece: WrittenBytes, path: str, into: str, most: tuple[int, int]) -> WrittenBytes:
    likely_bytes, high_bytes = most

    def some(size: Estimate) -> Estimate:
        if not size.high_bytes:
            return NOTHING
        high = min(size.high_bytes, high_bytes)
        return Estimate(0, min(likely_bytes, high), high, weakest((size.grade, Grade.DECLARED)))

    return WrittenBytes(
        name=f"{path} of {piece.name}",
        place=into,
        image=some(piece.image),
        disk=some(piece.disk),
        compressed=some(piece.compressed),
        source="a part of it; at most the whole",
    )
