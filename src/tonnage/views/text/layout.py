"""Text on a fixed grid: rows as aligned columns, and a disk as a bar with the reserve marked on it."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

from tonnage.escapes import visible_in_line
from tonnage.lazily import regex

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


_TIED = "\N{NO-BREAK SPACE}"
_FIGURE = regex(r"\d (?:[kMGT]?i?B|ms|s|min|h|d|%)(?!\w)(?: \d+ s(?!\w))?")
"""A figure and its unit, which stay on one line."""


def wrapped(text: str, width: int, *, first: str = "", then: str = "") -> list[str]:
    """Return a text in lines that end between words and never between a figure and its unit.

    Args:
        first: What the first line begins with.
        then: What the others begin with.
    """
    whole = _FIGURE.sub(lambda found: found[0].replace(" ", _TIED), text)
    lines = textwrap.wrap(
        whole, width, initial_indent=first, subsequent_indent=then, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(_TIED, " ") for line in lines]


def folded(said: Sequence[str], width: int, *, indent: str = "") -> list[str]:
    """Return a sentence whose lines end between words, and below it the lines that are to be copied as they are."""
    hanging = f"{indent}  "
    lines = wrapped(visible_in_line(said[0]), width or sys.maxsize, first=indent, then=hanging)
    return [*lines, *(f"{hanging}  {line}" for line in said[1:])]
