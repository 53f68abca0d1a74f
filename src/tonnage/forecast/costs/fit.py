"""Whether a forecast stack fits a disk: all at once, one service after the other, or not at all.

Promises are made by the high figures, refusals by the low ones; between them it is said to be doubtful.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.forecast.estimate import NOTHING
from tonnage.model.forecast.fit import FilesystemFit, FitVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.estimate import Estimate, StackForecast
    from tonnage.model.forecast.fit import Room


def fit_into(forecast: StackForecast, rooms: Sequence[Room]) -> tuple[FilesystemFit, ...]:
    """Return how a stack fits some filesystems."""
    known = {role for room in rooms for role in room.roles}
    found = []
    for number, room in enumerate(rooms):
        its = [
            each for each in forecast.filesystems if each.role in room.roles or (not number and each.role not in known)
        ]
        if not its:
            continue
        kept = one = every = NOTHING
        for each in its:
            kept += each.kept
            one += each.one_after_the_other
            every += each.all_at_once
        fit, missing_bytes = _judge(one, every, room.headroom_bytes)
        found.append(
            FilesystemFit(
                room=room, fit=fit, missing_bytes=missing_bytes, kept=kept, one_after_the_other=one, all_at_once=every
            )
        )
    return tuple(found)


def _judge(one: Estimate, every: Estimate, headroom_bytes: int) -> tuple[FitVerdict, int]:
    if every.high_bytes <= headroom_bytes:
        return FitVerdict.FITS, 0
    if one.high_bytes <= headroom_bytes:
        return FitVerdict.ONE_AT_A_TIME, every.high_bytes - headroom_bytes
    if one.low_bytes <= headroom_bytes:
        return FitVerdict.DOUBTFUL, one.high_bytes - headroom_bytes
    return FitVerdict.NOT, one.likely_bytes - headroom_bytes
