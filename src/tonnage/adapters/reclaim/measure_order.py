"""In which order things are measured, and how much is enough to choose from.

What is measured costs time even when it stays, so what will most probably go is measured first. Nothing is decided
here: what goes is chosen by what was measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.reclaim.candidate import CatalogueEntry

_BYTES_IN_GB = 10**9
_STEP_S_PER_GB = 10.0
_ENOUGH_TIMES = 1.05
"""How much more than what is missing is measured, so that there is something to choose from."""
_PLENTY_TIMES = 1.25
"""With that much it is not looked any further for something that fits better."""
_BEYOND = 0.05
"""What may come free beyond what is missing, as its share, to count as fitting."""


def measured_before(entry: CatalogueEntry, missing_bytes: int) -> tuple[float, ...]:
    """Return what sorts entries so that what will most probably go comes first."""
    usual_bytes = max(1, round(entry.usual_gb * _BYTES_IN_GB))
    useful_gb = max(1, min(usual_bytes, missing_bytes)) / _BYTES_IN_GB
    return round(entry.cost_s(usual_bytes) / useful_gb / _STEP_S_PER_GB), -entry.usual_gb


def is_well_enough(sizes: Sequence[int], missing_bytes: int) -> bool:
    """Return whether what was measured suffices, with something to choose from and without giving far too much."""
    found_bytes = sum(sizes)
    if found_bytes < missing_bytes * _ENOUGH_TIMES or found_bytes >= missing_bytes * _PLENTY_TIMES:
        return found_bytes >= missing_bytes * _ENOUGH_TIMES
    beyond_bytes = found_bytes - missing_bytes
    for size_bytes in sorted(sizes, reverse=True):
        # It could be left out.
        if size_bytes <= beyond_bytes:
            beyond_bytes -= size_bytes
    return beyond_bytes <= missing_bytes * _BEYOND
