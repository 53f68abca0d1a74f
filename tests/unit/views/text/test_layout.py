from __future__ import annotations

import pytest

from tonnage.views.text.layout import gauge_parts


def bar(available_bytes: int, reserve_bytes: int, cells: int = 20) -> str:
    return "".join(
        gauge_parts(
            size_bytes=1_000, available_bytes=available_bytes, reserve_bytes=reserve_bytes, cells=cells, ascii_only=True
        )
    )


def test_a_disk_fills_up_to_the_mark_of_its_line() -> None:
    assert bar(1_000, 250) == "---------------|...."
    assert bar(500, 250) == "##########-----|...."
    assert bar(250, 250) == "###############|...."


def test_past_the_line_the_kept_part_fills() -> None:
    assert bar(100, 250) == "###############|##.."
    assert bar(0, 250) == "###############|####"


def test_without_a_line_the_mark_is_at_the_end() -> None:
    assert bar(500, 0) == "##########---------|"


@pytest.mark.parametrize("cells", [1, 2, 20, 57])
def test_a_bar_has_exactly_its_cells_and_one_mark(cells: int) -> None:
    for available_bytes in range(-100, 1_200, 37):
        for reserve_bytes in (0, 1, 250, 999, 1_000, 1_500):
            drawn = bar(available_bytes, reserve_bytes, cells)

            assert len(drawn) == cells
            assert drawn.count("|") == 1
