"""A forecast in the log of a job: plain lines, and annotations of GitHub at the file and line that they are about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.escapes import visible_in_line
from tonnage.lazily import regex
from tonnage.units import format_bytes
from tonnage.views.ci.annotations import annotation
from tonnage.views.text.layout import columns, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tonnage.model.reports.ci_job import Figures, JobFit, JobForecast

_PLACE = regex(r"^(?P<file>[^:\n]{1,400}):(?P<line>\d{1,9}): (?P<said>.+)", re.DOTALL)
_MOST_SERVICES = 200
_MOST_ANNOTATIONS = 10
"""GitHub shows ten of a kind for each step."""
_MOST_FILESYSTEMS = 20


def forecast_log(forecast: JobForecast) -> str:
    """Write a forecast for the log of a job."""
    head = ("service", "image", "disk", "temporary while building")
    rows = [
        (each.service, "cannot be built", "", "")
        if each.broken
        else (each.service, _figure(each.image_bytes), _figure(each.disk_bytes), _figure(each.transient_bytes))
        for each in forecast.services[:_MOST_SERVICES]
    ]
    lines = list(columns((head, *rows)))
    if len(forecast.services) > _MOST_SERVICES:
        lines.append(f"... and {len(forecast.services) - _MOST_SERVICES} more services")
    lines.append(f"peak of the stack, one service after the other: {_figure(forecast.peak)}")
    lines += [_fit(each) for each in forecast.fits[:_MOST_FILESYSTEMS]]
    return joined(lines)


def broken_annotations(forecast: JobForecast, shown: Callable[[str], str]) -> list[str]:
    """Return an annotation for each reason why a service cannot be built.

    Args:
        shown: Returns how a file is called from the root of the repository.
    """
    said = dict.fromkeys(
        (each.service, failure) for each in forecast.broken for failure in each.failures or ("it cannot be built",)
    )
    return [_at_its_place(service, failure, shown) for service, failure in list(said)[:_MOST_ANNOTATIONS]]


def changes_log(services: Iterable[tuple[str, int]]) -> str:
    """Write how much each service grew."""
    return joined(
        columns([(name, f"{'+' if change > 0 else '-'}{format_bytes(abs(change))}") for name, change in services])
    )


def _at_its_place(service: str, failure: str, shown: Callable[[str], str]) -> str:
    found = _PLACE.match(failure)
    if found is None:
        return annotation("error", f"{service}: {failure}")
    return annotation("error", f"{service}: {found['said']}", file=shown(found["file"]), line=int(found["line"]))


def _fit(each: JobFit) -> str:
    missing = f", {format_bytes(each.missing_bytes)} are missing" if each.missing_bytes else ""
    return (
        f"{each.mount}: {each.fit}{missing}; {format_bytes(each.available_bytes)} available,"
        f" reserve {format_bytes(each.reserve_bytes)}"
    )


def _figure(known: Figures) -> str:
    return "unknown" if known.likely is None else f"{format_bytes(known.likely)} ({visible_in_line(known.grade)})"
