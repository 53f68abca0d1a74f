"""What goes on on the engine and its disks: runs at work, and how fast a disk fills."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.units import format_bytes, format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.reports.activity import RunAtWork, Trend

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400
_LONGEST_S = 100 * _DAY_S
_SMALLEST_BYTES = 1_000_000


def run_lines(runs: Sequence[RunAtWork]) -> list[str]:
    """Write which runs are at work; one line where none is."""
    if not runs:
        return ["no deploy is running"]
    return [_run_line(each) for each in runs]


def _run_line(each: RunAtWork) -> str:
    parts = [f"running: {each.run.shown}"]
    parts += [f"step {each.step}"] if each.step else []
    parts += [f"for {format_duration(each.seconds)}"] if each.seconds is not None else []
    return ", ".join(parts)


def run_forms(runs: Sequence[RunAtWork]) -> list[dict[str, object]]:
    """Return the runs at work as JSON-able mappings."""
    return [
        {
            "stack": each.run.stack,
            "pid": each.run.pid,
            "user": each.run.user,
            "command": each.run.command,
            "step": each.step or None,
            "seconds": each.seconds,
        }
        for each in runs
    ]


def trend_text(trend: Trend | None, *, available_bytes: int, reserve_bytes: int) -> str:
    """Write how a disk changes and when it is full; empty where nothing worth a line happened."""
    if trend is None or abs(trend.change_bytes) < _SMALLEST_BYTES:
        return ""
    sign = "+" if trend.change_bytes > 0 else "-"
    changed = format_bytes(abs(trend.change_bytes))
    if trend.since:
        text = f"{sign}{changed} available since {trend.since}, {format_long(trend.seconds)} ago"
    else:
        text = f"{sign}{_rate(abs(trend.bytes_per_s))} over {format_long(trend.seconds)}"
    left = [
        f"{what} in {format_long(seconds)}"
        for what, bytes_left in (("reserve reached", available_bytes - reserve_bytes), ("full", available_bytes))
        if (seconds := trend.until_s(bytes_left)) is not None and bytes_left > 0 and seconds < _LONGEST_S
    ]
    return ", ".join([text, *left])


def trend_form(trend: Trend | None, *, available_bytes: int, reserve_bytes: int) -> dict[str, object] | None:
    """Return how a disk changes as a JSON-able mapping; None where nobody knows."""
    if trend is None:
        return None
    return {
        "change_bytes": trend.change_bytes,
        "seconds": trend.seconds,
        "bytes_per_s": trend.bytes_per_s,
        "until_reserve_s": trend.until_s(available_bytes - reserve_bytes),
        "until_full_s": trend.until_s(available_bytes),
    }


def format_long(seconds: float) -> str:
    """Write about how long something is: as a duration, and from two days on in days."""
    return f"{round(seconds / _DAY_S)} days" if seconds >= 2 * _DAY_S else format_duration(seconds)


def _rate(bytes_per_s: float) -> str:
    for unit, seconds in (("s", 1), ("min", _MINUTE_S)):
        if bytes_per_s * seconds >= _SMALLEST_BYTES:
            return f"{format_bytes(round(bytes_per_s * seconds))}/{unit}"
    return f"{format_bytes(round(bytes_per_s * _HOUR_S))}/h"
