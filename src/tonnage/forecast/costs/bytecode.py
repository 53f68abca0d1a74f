"""How large the bytecode of Python files becomes, by the version of Python. Pure.

The size of a ``.pyc`` file grows with that of its source, differently in each version of Python, and differently for
code, text and tables: by a ratio that belongs to the package.

Source: measured with CPython 3.8.18, 3.9.18, 3.10.13, 3.11.7, 3.12.1 and 3.13.0 over the 17,165 files of 115 wheels.
Later versions are taken for 3.13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.forecast.costs.bytecode_ratios import RATIOS
from tonnage.model.forecast.estimate import NOTHING, Grade, spread
from tonnage.model.forecast.python_lock import in_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.estimate import Estimate

# What the bytecode of a file has beside what grows with its source: header, names, lines.
_EACH_FILE_BYTES = 310
# The average of all files, for 3.10 and for 3.11.
_AVERAGE = (0.78, 1.31)
# Which of the two ratios a version goes by, and the line from that to its own.
_OLD, _NEW = 0, 1
_LINES = {
    (3, 8): (_OLD, -0.014, 1.017),
    (3, 9): (_OLD, -0.015, 1.018),
    (3, 10): (_OLD, 0.0, 1.0),
    (3, 11): (_NEW, 0.0, 1.0),
    (3, 12): (_NEW, 0.15, 0.798),
    (3, 13): (_NEW, 0.168, 0.774),
}
_MEASURED_SPREAD, _AVERAGE_SPREAD, _UNSEEN_VERSION_SPREAD = 0.06, 0.3, 0.06
# A spread of this much in one package is more than an exact figure may have.
_MOST_EXACT_BYTES = 2_000_000


class Bytecode(Struct, frozen=True):
    """The bytecode of one package: its bytes, and the blocks that they take."""

    image: Estimate
    disk: Estimate


def bytecode(name: str, python_file_bytes: Sequence[int], minor: tuple[int, int]) -> Bytecode:
    """Return how large the bytecode of a package becomes."""
    if not python_file_bytes:
        return Bytecode(NOTHING, NOTHING)
    version = min(max(minor, min(_LINES)), max(_LINES))
    which, offset, slope = _LINES[version]
    ratio = offset + slope * RATIOS.get(name, _AVERAGE)[which]
    sizes = [int(_EACH_FILE_BYTES + ratio * size) for size in python_file_bytes]
    part = _MEASURED_SPREAD if name in RATIOS else _AVERAGE_SPREAD
    if minor != version:
        part += _UNSEEN_VERSION_SPREAD
    content_bytes = sum(sizes)
    grade = Grade.EXACT if name in RATIOS or content_bytes * part < _MOST_EXACT_BYTES else Grade.LEARNED
    return Bytecode(_around(content_bytes, part, grade), _around(sum(map(in_blocks, sizes)), part, grade))


def _around(count_bytes: int, part: float, grade: Grade) -> Estimate:
    return spread(int(count_bytes * (1 - part)), count_bytes, int(count_bytes * (1 + part)), grade)
