"""Figures that are counted but for a margin: how far they may be off is known less well than the rest.

``exact`` is what was counted. A sum is called so while all that may be off in it is below a hundredth
(:mod:`tonnage.model.forecast.estimate`), so that kilobytes beside a wheel are exact, and alone they are not.
"""

from __future__ import annotations

from tonnage.model.forecast.estimate import Estimate, Grade, exactly, spread


def but_for(low_bytes: int, likely_bytes: int, high_bytes: int) -> Estimate:
    """Return a figure that is counted but for a margin; its three figures come in any order."""
    low, likely, high = sorted((low_bytes, likely_bytes, high_bytes))
    off = max(likely - low, high - likely)
    if low < 0 or not off:
        return spread(low, likely, high, Grade.DECLARED) if off else exactly(likely)
    certain = high - off
    return exactly(certain) + Estimate(low - certain, likely - certain, off, Grade.DECLARED)


def around(count_bytes: int, margin_bytes: int) -> Estimate:
    """Return a figure that is counted but for a margin: small files that an installer writes, blocks of large ones."""
    return but_for(count_bytes - margin_bytes, count_bytes, count_bytes + margin_bytes)
