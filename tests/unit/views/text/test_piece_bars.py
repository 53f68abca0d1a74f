"""A bar for each piece of an image."""

from __future__ import annotations

from tests.unit.views.html.page_samples import service_forecast

from tonnage.views.text.forecast import explain_text
from tonnage.views.text.piece_bars import piece_bars


def test_bars_are_as_long_as_pieces_are_heavy_and_what_weighs_anything_has_one() -> None:
    assert piece_bars([1_200, 600, 3, 0], 1_200, width=80, ascii_only=True) == [
        ("############",),
        ("######",),
        ("#",),
        ("",),
    ]
    assert piece_bars([600], 1_200, width=80) == [("██████",)]


def test_there_are_no_bars_on_a_narrow_terminal_or_without_bytes() -> None:
    assert piece_bars([1_200], 1_200, width=50) == [()]
    assert piece_bars([0], 0, width=80) == [()]


def test_an_explained_service_has_a_bar_for_each_piece() -> None:
    text = explain_text(service_forecast("web"), width=100, ascii_only=True)

    assert "    1.74 GB  ############  exact  torch 2.9.1" in text
    assert "     727 MB  #####         exact  nvidia-cudnn-cu12 9.10" in text
    assert text.isascii()


def test_pieces_stand_as_they_did_where_there_is_no_room_for_bars() -> None:
    assert "#" not in explain_text(service_forecast("web"), width=50, ascii_only=True)
