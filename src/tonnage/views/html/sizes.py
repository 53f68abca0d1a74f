"""How much a page tells: as much as goes into the largest page that there may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.views.html.elements import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable


class Detail(Struct, frozen=True, kw_only=True):
    """How many of each there are at most."""

    runs: int
    steps: int
    images: int
    areas: int
    services: int
    reclaimed: int
    remarks: int


_MUCH = 2
_LEVELS = (
    Detail(runs=5, steps=60, images=8, areas=32, services=16, reclaimed=40, remarks=40),
    Detail(runs=3, steps=40, images=6, areas=24, services=12, reclaimed=30, remarks=25),
    Detail(runs=2, steps=30, images=5, areas=14, services=10, reclaimed=25, remarks=15),
    Detail(runs=1, steps=20, images=6, areas=8, services=8, reclaimed=12, remarks=8),
    Detail(runs=1, steps=10, images=3, areas=5, services=4, reclaimed=6, remarks=4),
    Detail(runs=1, steps=4, images=1, areas=3, services=1, reclaimed=2, remarks=1),
)


def within_size(made: Callable[[Detail], str]) -> str:
    """Return the page with most in it that is not too large; of those that all are, the smallest."""
    page, at = "", 0
    while at < len(_LEVELS):
        page = made(_LEVELS[at])
        too_large = len(page.encode()) / MOST_BYTES
        if too_large < 1:
            break
        # Each level makes a page of about two thirds.
        at += 1 if too_large < _MUCH else 2 if too_large < 2 * _MUCH or at else 3
    return page
