"""A bar for each piece of an image, so that what weighs most is seen before any figure is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.views.text.layout import ASCII_FULL, FULL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.estimate import InstructionForecast

_CELLS = 12
_NARROWEST = 60


def piece_bars(counts: Sequence[int], most: int, *, width: int, ascii_only: bool = False) -> list[tuple[str, ...]]:
    """Draw a bar for each number of bytes.

    Args:
        most: The bytes of a bar of full length.
        width: Columns of the terminal; on a narrow one, and where there is none (0), there are no bars.

    Returns:
        A cell of a table for each, none without bars. A bar has at most 12 characters; what weighs anything has one.
    """
    if most <= 0 or width < _NARROWEST:
        return [() for _ in counts]
    full = ASCII_FULL if ascii_only else FULL
    return [(full * max(1, round(_CELLS * count / most)) if count > 0 else "",) for count in counts]


def heaviest_piece(steps: Sequence[InstructionForecast]) -> int:
    """Return the bytes of the heaviest piece of all instructions, which has the longest bar."""
    return max((each.disk.likely_bytes for step in steps for each in step.contributors), default=0)
