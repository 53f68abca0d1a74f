"""How the disk went over the time of a run: what a chart is drawn of."""

from __future__ import annotations

from msgspec import Struct


class StepSpan(Struct, frozen=True, kw_only=True):
    """When a step ran.

    Args:
        began_s: Seconds after the run began.
        seconds: How long it took; 0 where that is not known.
    """

    name: str
    began_s: float
    seconds: float


class DiskHistory(Struct, frozen=True, kw_only=True):
    """Available bytes of the filesystem of a run over its time.

    Args:
        points: Seconds after the run began, and the bytes that were available then; in the order of time.
        spans: Its steps.
        sampled: Whether the points were measured all the time; else they are those of its steps alone.
    """

    run_id: int
    points: tuple[tuple[float, int], ...] = ()
    spans: tuple[StepSpan, ...] = ()
    sampled: bool = False
