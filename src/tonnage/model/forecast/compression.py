"""What content takes in a compressed layer, by its kind, where nobody has tried it. Always declared, never exact.

Builders compress a layer as one archive with gzip at its usual level.

Source: blobs of Docker 26.1 and 28.5, beside the files in them (`bench/engines.py`); gzip at level 6 over the files of
45 wheels, 60 packages of Debian 12 and the package lists of that release.
"""

from __future__ import annotations

from enum import StrEnum

from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, weakest


class Content(StrEnum):
    """Kinds of content that compress differently. ``packed`` is compressed already, encrypted, or left to chance."""

    ANY = "any"
    TEXT = "text"
    BYTECODE = "bytecode"
    PACKED = "packed"
    ZEROS = "zeros"


# Of a thousand bytes, at least, likely and at most.
_OF_THOUSAND = {
    Content.ANY: (0, 400, 1000),
    Content.TEXT: (20, 250, 800),
    Content.BYTECODE: (240, 345, 450),
    Content.PACKED: (950, 1000, 1000),
    Content.ZEROS: (0, 1, 10),
}
# What does not compress grows by the heads of blocks; a small file by its own head in the archive.
_GROWN_OF, _HEAD_BYTES = 2000, 1024


def compressed(size: Estimate, content: Content = Content.ANY) -> Estimate:
    """Return what bytes of a kind take in a compressed layer."""
    if not size.high_bytes:
        return NOTHING
    low, likely, high = _OF_THOUSAND[content]
    return Estimate(
        max(0, size.low_bytes) * low // 1000,
        size.likely_bytes * likely // 1000,
        at_most_compressed(size.high_bytes * high // 1000),
        weakest((size.grade, Grade.DECLARED)),
    )


def at_most_compressed(count_bytes: int) -> int:
    """Return the most that so many bytes take where they do not compress at all."""
    return count_bytes + count_bytes // _GROWN_OF + _HEAD_BYTES
