"""How large the bytecode of Python files becomes, by the version of Python. Pure.

The size of a ``.pyc`` file grows with that of its source, differently in each version of Python and differently for
code and for text. The figures are from all files of the 115 wheels of a web and machine-learning set.

Source: measured with CPython 3.8.18, 3.9.18, 3.10.13, 3.11.7, 3.12.1 and 3.13.0 over 17,165 files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tonnage.model.forecast import NOTHING, Grade, spread
from tonnage.model.lock import in_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast import Estimate

# Bytes of bytecode of an empty file, and for each byte of source.
_SIZES = {
    (3, 8): (150, 0.79),
    (3, 9): (150, 0.79),
    (3, 10): (150, 0.80),
    (3, 11): (170, 1.39),
    (3, 12): (170, 1.26),
    (3, 13): (170, 1.24),
}
_SPREAD = 0.25


@dataclass(frozen=True, slots=True)
class Bytecode:
    """The bytecode of some files: their bytes, and the blocks that they take."""

    image: Estimate
    disk: Estimate


def bytecode(python_file_bytes: Sequence[int], minor: tuple[int, int]) -> Bytecode:
    """Return how large the bytecode of files becomes.

    Args:
        python_file_bytes: The size of each file.
        minor: The version of Python, such as ``(3, 11)``; one that was not measured is taken for the nearest.

    Returns:
        Its bytes and its blocks.
    """
    if not python_file_bytes:
        return Bytecode(NOTHING, NOTHING)
    known = min(_SIZES, key=lambda each: (abs(each[1] - minor[1]) + 100 * abs(each[0] - minor[0]), -each[1]))
    empty, ratio = _SIZES[known]
    sizes = [int(empty + ratio * each) for each in python_file_bytes]
    content, blocks = sum(sizes), sum(map(in_blocks, sizes))
    low, high = 1 - _SPREAD, 1 + _SPREAD
    return Bytecode(
        spread(int(content * low), content, int(content * high), Grade.EXACT),
        spread(int(blocks * low), blocks, int(blocks * high), Grade.EXACT),
    )
