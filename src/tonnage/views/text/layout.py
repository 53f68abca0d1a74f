"""Text on a fixed grid: rows as aligned columns, and a disk as a bar with the reserve marked on it."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

from tonnage.escapes import visible_in_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GAP = "  "


def columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), indent: str = "") -> list[str]:
    """Align rows, each of which stays one line."""
    if not rows:
        return []
    rows = [[visible_in_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return [
        (
            indent
            + GAP.join(
                cell.rjust(width) if index in right else cell.ljust(width)
                for index, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        ).rstrip()
        for row in rows
    ]


def joined(lines: Iterable[str]) -> str:
    """Return lines as a text, in which each of them stays one line whatever stands in it."""
    return "\n".join(map(visible_in_line, lines))


def fits(lines: Sequence[str], width: int) -> bool:
    """Return whether no line is longer than ``width`` characters."""
    return all(len(line) <= width for line in lines)


FULL, EMPTY, LINE, KEPT = "█", "─", "┃", "┄"
ASCII_FULL, ASCII_EMPTY, ASCII_LINE, ASCII_KEPT = "#", "-", "|", "."


def gauge_parts(
    *, size_bytes: int, available_bytes: int, reserve_bytes: int, cells: int, ascii_only: bool = False
) -> tuple[str, str, str]:
    """Draw a disk that fills from the left up to the reserve, which is marked."""
    full, empty, line, kept = (
        (ASCII_FULL, ASCII_EMPTY, ASCII_LINE, ASCII_KEPT) if ascii_only else (FULL, EMPTY, LINE, KEPT)
    )
    size = max(size_bytes, 1)
    used_cells = _clamp(round((size_bytes - available_bytes) * cells / size), cells)
    mark = _clamp(round((size_bytes - reserve_bytes) * cells / size), cells - 1)
    left = full * min(used_cells, mark) + empty * max(0, mark - used_cells)
    past = max(0, used_cells - mark - 1)
    return left, line, full * past + kept * (cells - mark - 1 - past)


def _clamp(value: int, most: int) -> int:
    return max(0, min(value, most))


def folded(said: Sequence[str], width: int, *, indent: str = "") -> list[str]:
    """Return a sentence whose lines end between words, and below it the lines that are to be copied as they are."""
    hanging = f"{indent}  "
    lines = textwrap.wrap(
        visible_in_line(said[0]), width or sys.maxsize, initial_indent=indent, subsequent_indent=hanging,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [*lines, *(f"{hanging}  {line}" for line in said[1:])]
