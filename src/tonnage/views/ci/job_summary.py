"""The summary of a job as Markdown: forecast vs. measured for each service, and the disk over time as a picture.

It is never longer than GitHub takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.reports.ci_job import Figures
from tonnage.units import format_bytes, format_seconds
from tonnage.views.ci.markdown import SUMMARY_BYTES, LongTable, document, literal, word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.reports.ci_job import (
        DiskMoment,
        ForecastOfService,
        JobFit,
        JobForecast,
        JobReclaim,
        JobRun,
        JobStep,
    )

_POINTS = 60
"""A picture with more of them is not more legible."""
_LONGEST_MOUNT = 100
_LONGEST_FAILURE = 2_000
_MOST_FILESYSTEMS = 20
_UNITS = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"), (1, "B"))


def job_summary(forecast: JobForecast | None, run: JobRun | None, reclaimed: JobReclaim | None) -> str:
    """Write the summary of a job.

    Args:
        forecast: What was forecast; None when that failed.
        run: The run; None when there was none.
        reclaimed: What was reclaimed; None when nothing was.
    """
    name = forecast.stack.name if forecast is not None else ""
    above = [f"## Tonnage{f': {literal(name)}' if name else ''}", *_ending(run)]
    above += [broken_line(each) for each in (forecast.broken if forecast is not None else ())[:MOST_BROKEN]]
    if reclaimed is not None:
        above.append(_reclaimed(reclaimed))
    below = [] if forecast is None else _whole(forecast, run)
    if run is not None and run.moments:
        below.append(disk_picture(run.moments))
    if forecast is None and run is None and reclaimed is None:
        below.append("Nothing was forecast, reclaimed, built or deployed; the log says why.")
    forecasts = {each.service: each for each in forecast.services} if forecast is not None else {}
    builds = {each.service: each for each in run.steps if each.kind == "build"} if run is not None else {}
    names = dict.fromkeys((*forecasts, *builds))
    rows = (_row(name, forecasts.get(name), builds.get(name)) for name in names)
    services = LongTable(head=_HEAD, rows=rows, count=len(names), things="services")
    return document(above, services, below, octets=SUMMARY_BYTES)


def job_values(forecast: JobForecast | None, run: JobRun | None, reclaimed: JobReclaim | None) -> dict[str, int | None]:
    """Return the figures of a job.

    Returns:
        Bytes by name; None where nothing tells.
    """
    return {
        "peak_bytes": None if run is None else run.peak_bytes,
        "freed_bytes": None if reclaimed is None else reclaimed.freed_bytes,
        "forecast_bytes": _expected(forecast, run).likely,
    }


def _expected(forecast: JobForecast | None, run: JobRun | None) -> Figures:
    """Return what the job was forecast to need at its worst moment: by the plan that ran, else by the forecast."""
    if run is not None and run.expected.likely is not None:
        return run.expected
    return Figures() if forecast is None else forecast.peak


def disk_picture(moments: Sequence[DiskMoment]) -> str:
    """Draw the disk over time, with its line."""
    shown = thinned(moments, _POINTS)
    highest = max(*(each.available_bytes for each in shown), shown[0].reserve_bytes, 1)
    divisor, unit = next(each for each in _UNITS if highest >= each[0])
    points = ", ".join(f"{each.available_bytes / divisor:.3f}" for each in shown)
    lines = ", ".join([f"{shown[0].reserve_bytes / divisor:.3f}"] * len(shown))
    end_s = max(1.0, shown[-1].at_s)
    mount = "".join(each if each.isalnum() or each in "/._-" else "?" for each in shown[0].mount[:_LONGEST_MOUNT])
    return "\n".join(
        (
            "```mermaid",
            "xychart-beta",
            f'    title "Available on {mount}, and the reserve"',
            f'    x-axis "seconds" 0 --> {end_s:.0f}',
            f'    y-axis "{unit}" 0 --> {highest / divisor * 1.05:.3f}',
            f"    line [{points}]",
            f"    line [{lines}]",
            "```",
        )
    )


def thinned(moments: Sequence[DiskMoment], most: int) -> list[DiskMoment]:
    """Leave out samples, but never the lowest of a stretch: that one is what matters."""
    if not moments:
        return []
    begin_s, end_s = moments[0].at_s, moments[-1].at_s
    if end_s <= begin_s:
        return [moments[0], moments[-1]]
    stretches: dict[int, DiskMoment] = {}
    for each in moments:
        at = min(most - 1, int((each.at_s - begin_s) / (end_s - begin_s) * most))
        if at not in stretches or each.available_bytes < stretches[at].available_bytes:
            stretches[at] = each
    stretches[0] = moments[0]
    # An axis of numbers has its points at even distances: a stretch without a sample shows the one before it.
    found = [stretches[0]]
    for at in range(1, most):
        found.append(stretches.get(at, found[-1]))
    return found


def figure(known: Figures) -> str:
    """Write a forecast figure with its grade."""
    return "unknown" if known.likely is None else f"{format_bytes(known.likely)} ({word(known.grade)})"


BROKEN = "**cannot be built**"
MOST_BROKEN = 20
_MOST_FAILURES = 5


def broken_line(service: ForecastOfService) -> str:
    """Say why a service cannot be built as it is written."""
    why = "; ".join(literal(each, _LONGEST_FAILURE) for each in service.failures[:_MOST_FAILURES])
    return f"**{literal(service.service)} cannot be built as it is written**{f': {why}' if why else ''}"


_HEAD = ("service", "image, forecast", "kept, forecast", "kept, measured", "temporary, measured", "time", "outcome")


def _row(name: str, forecast: ForecastOfService | None, build: JobStep | None) -> tuple[str, ...]:
    image = figure(forecast.image_bytes) if forecast is not None else ""
    expected = figure(forecast.disk_bytes) if forecast is not None else ""
    if forecast is not None and forecast.broken and build is None:
        return literal(name), BROKEN, BROKEN, "", "", "", BROKEN
    if build is None:
        return literal(name), image, expected, "", "", "", ""
    if build.forecast_kept_bytes is not None:
        # The plan knows what is there already, which the forecast of one service alone does not.
        expected = f"{format_bytes(build.forecast_kept_bytes)} ({word(build.forecast_grade)})"
    measured = build.measured[0] if build.measured else None
    return (
        literal(name),
        image,
        expected,
        "" if measured is None else format_bytes(measured.kept_bytes),
        "" if measured is None else format_bytes(measured.transient_bytes),
        format_seconds(build.seconds),
        word(build.outcome),
    )


def _ending(run: JobRun | None) -> list[str]:
    if run is None:
        return []
    if run.failure:
        failure = literal(run.failure, _LONGEST_FAILURE)
        return [f"**{word(run.purpose) or 'Nothing was carried out'}: {failure}**"]
    took = f" in {format_seconds(run.seconds)}" if run.seconds else ""
    return [f"{word(run.purpose)}: {word(run.outcome)}{took}"]


def _reclaimed(reclaimed: JobReclaim) -> str:
    wanted = f" (target {format_bytes(reclaimed.target_bytes)})" if reclaimed.target_bytes is not None else ""
    gone = [each for each in reclaimed.removed if not each.error]
    things = f" by removing {len(gone)} {'thing' if len(gone) == 1 else 'things'}" if gone else ""
    return (
        f"Reclaimed on {literal(reclaimed.mount)}: freed {format_bytes(reclaimed.freed_bytes)}{things},"
        f" {format_bytes(reclaimed.after_bytes)} available{wanted}."
    )


def _whole(forecast: JobForecast, run: JobRun | None) -> list[str]:
    told = [f"Peak of the stack, one service after the other: {figure(_expected(forecast, run))} forecast"]
    if run is not None and run.peak_bytes is not None:
        told.append(f"{format_bytes(run.peak_bytes)} measured")
    lines = [f"{', '.join(told)}."]
    lines += [
        f"{literal(each.mount)}: {word(each.fit)}{_missing(each)}; {format_bytes(each.available_bytes)} were available,"
        f" reserve {format_bytes(each.reserve_bytes)}."
        for each in forecast.fits[:_MOST_FILESYSTEMS]
    ]
    more = len(forecast.fits) - _MOST_FILESYSTEMS
    return [*lines, f"... and {more} more filesystems"] if more > 0 else lines


def _missing(each: JobFit) -> str:
    return f", {format_bytes(each.missing_bytes)} are missing" if each.missing_bytes else ""
