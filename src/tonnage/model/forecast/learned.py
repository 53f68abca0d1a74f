"""What earlier runs measured, as forecasts take it: with the grade ``learned``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.model.forecast.estimate import Estimate


class LearnedStep(Struct, frozen=True, kw_only=True):
    """What earlier runs of one kind of step measured: forecast material with the grade ``learned``.

    Args:
        kept: Bytes kept.
        transient: Bytes needed on top and given back.
        seconds: How long it took, the last time.
        runs: How many runs it was learned from.
    """

    kept: Estimate
    transient: Estimate
    seconds: float
    runs: int


class LearnedInstruction(Struct, frozen=True, kw_only=True):
    """What earlier runs measured of one instruction.

    Args:
        image: Bytes that its layer added to the image.
        disk: What the filesystem kept; nothing known where it could not be told from others.
        transient: What was needed on top.
        runs: How many runs it was learned from.
    """

    image: Estimate
    disk: Estimate
    transient: Estimate
    runs: int
