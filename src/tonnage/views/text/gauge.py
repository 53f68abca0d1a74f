"""A disk as a bar of text with the reserve marked on it."""

from __future__ import annotations

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
