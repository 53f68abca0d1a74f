"""Files that commands make from files of the image: what goes in tells how large they can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.costs.copied_image_files import file_copied, perhaps
from tonnage.forecast.costs.written_sizes import blocks_of
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, weakest
from tonnage.model.forecast.python_lock import BLOCK_BYTES
from tonnage.model.forecast.sized_effects import WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.sized_effects import DerivedFile, SizedEffect

_SAME = (100, 100, 100)
# What an image has there are settings, and what the kernel tells of itself.
_SHORT = ("/etc/", "/proc/", "/sys/", "/run/")
_SHORT_TEXT = Estimate(0, BLOCK_BYTES, 1_000_000, Grade.DECLARED)


def derived_pieces(deed: SizedEffect, pieces: Sequence[WrittenBytes], ground: Estimate) -> list[WrittenBytes]:
    """Return what a command makes from files."""
    found = [_made(derived, pieces, ground) for derived in deed.derives]
    return found if deed.certain else [perhaps(piece) for piece in found]


def _made(derived: DerivedFile, pieces: Sequence[WrittenBytes], ground: Estimate) -> WrittenBytes:
    image, disk = NOTHING, NOTHING
    for path in derived.paths:
        short = path.startswith(_SHORT)
        # An archive is no usual file of an image below.
        alone = short or derived.least_high_bytes > 0
        read = file_copied(path, derived.place, _placed(pieces) if short else pieces, NOTHING if alone else ground)
        if not read:
            size = _SHORT_TEXT if short else derived.unknown
            image, disk = image + size, disk + size
        for piece in read:
            image, disk = image + piece.image, disk + piece.disk
    if derived.percent == _SAME:
        size = image
    else:
        least, likely, most = derived.percent
        # What a directory is made into has a head for each file in it: less than the rest of its last block.
        whole = max(image.high_bytes, disk.high_bytes) if most > 100 else image.high_bytes  # noqa: PLR2004 - percent
        size = Estimate(
            image.low_bytes * least // 100,
            image.likely_bytes * likely // 100,
            whole * most // 100 + BLOCK_BYTES,
            weakest((image.grade, Grade.DECLARED)),
        )
    if derived.least_high_bytes > size.high_bytes:
        size = replace(size, high_bytes=derived.least_high_bytes, grade=Grade.UNKNOWN)
    return WrittenBytes(
        name=derived.place,
        place=derived.place,
        image=size,
        disk=blocks_of(size),
        compressed=size,
        source=derived.source,
    )


def _placed(pieces: Sequence[WrittenBytes]) -> list[WrittenBytes]:
    return [piece for piece in pieces if piece.place]
