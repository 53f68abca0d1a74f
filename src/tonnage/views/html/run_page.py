"""The page about runs: how the disk went, each step forecast vs. measured, images, services over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.units import format_bytes, format_moment, format_seconds
from tonnage.views.html.disk_chart import disk_chart
from tonnage.views.html.elements import cut, element, page, preformatted, section, tiles
from tonnage.views.html.history import history, reclaimed
from tonnage.views.html.image_blocks import latest_builds, measured_blocks, wasted_text
from tonnage.views.html.sizes import within_size
from tonnage.views.html.step_bars import step_bars
from tonnage.views.html.treemap import legend, treemap

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    from tonnage.model.deploy.run import Run
    from tonnage.model.reports.run_report import RunReport
    from tonnage.views.html.sizes import Detail

_FOOT = "Made by tonnage report --html. The page is whole as it is: it asks no server and runs no script."
_LONGEST_MESSAGE = 2_000


def run_page(report: RunReport) -> str:
    """Write the page."""
    return within_size(lambda detail: _page(report, detail))


def _page(report: RunReport, detail: Detail) -> str:
    shown = list(reversed(report.runs))[: detail.runs]
    stacks = list(dict.fromkeys(run.stack for run in report.history if run.stack))
    title = f"Tonnage report: {cut(stacks[0], 60)}" if len(stacks) == 1 else "Tonnage report"
    sections = [_run(run, report, detail) for run in shown]
    left = len(report.runs) - len(shown)
    if left and sections:
        sections[-1].append(element("p", f"{left} earlier runs are left out here.", class_="note"))
    sections += _images(report, detail)
    if over_time := history(report.history, most=detail.services):
        lead = element("p", "Disk space kept after each run of a service; red: the run failed.", class_="note")
        sections.append(section("Services over runs", "services", lead, *over_time))
    if freed := reclaimed(report.history, most=detail.reclaimed):
        sections.append(section("Freed space", "freed", *freed))
    if not sections:
        sections.append(section("No runs yet", "none", element("p", "A deploy, build or reclaim makes the first.")))
    about = f"{len(report.history)} run{'' if len(report.history) == 1 else 's'}. Made {format_moment(report.made_s)}."
    return page(title, about, sections, _FOOT)


def _run(run: Run, report: RunReport, detail: Detail) -> Element:
    subject = f"{run.purpose} {run.stack}".strip()
    title = f"Run {run.run_id}: {cut(subject, 60)}"
    history = report.disk_histories.get(run.run_id)
    chart = disk_chart(run, history) if history is not None else None
    steps = step_bars(run.steps, most=detail.steps)
    message = preformatted(run.message[:_LONGEST_MESSAGE]) if run.message else None
    return section(
        title,
        f"run-{run.run_id}",
        tiles(_figures(run, _points(report, run))),
        message,
        chart,
        element("h3", "Steps, forecast vs. measured") if steps else None,
        element("p", "Nothing had to be done.", class_="note") if not (run.steps or run.message) else None,
        *steps,
    )


def _points(report: RunReport, run: Run) -> Sequence[tuple[float, int]]:
    history = report.disk_histories.get(run.run_id)
    return history.points if history is not None else ()


def _figures(run: Run, points: Sequence[tuple[float, int]]) -> list[tuple[str, str]]:
    figures = [
        ("ended", str(run.outcome)),
        ("started", format_moment(run.started_s)),
        ("duration", format_seconds(run.seconds)),
    ]
    if points:
        lowest_bytes = min(count for _, count in points)
        figures += [
            ("lowest free space", format_bytes(lowest_bytes)),
            ("above the reserve", format_bytes(lowest_bytes - run.reserve_bytes)),
        ]
    if run.kept_bytes is not None:
        figures.append(("kept on the disk", format_bytes(run.kept_bytes)))
    return figures


def _images(report: RunReport, detail: Detail) -> list[Element]:
    maps: list[Element] = []
    any_wasted = False
    builds = latest_builds(report.instructions)
    drawn = 0
    for service, instructions in builds.items():
        if drawn == detail.images:
            maps.append(element("p", f"{len(builds) - drawn} more images are left out.", class_="note"))
            break
        blocks = measured_blocks(instructions)
        drawing = treemap(f"the image of {cut(service, 60)}", blocks, most=detail.areas)
        if not drawing:
            continue
        drawn += 1
        wasted = wasted_text(blocks)
        any_wasted = any_wasted or bool(wasted)
        heading = element("h3", f"{cut(service, 60)}, as run {instructions[0].run_id} built it")
        maps += [heading, *([element("p", wasted, class_="bad-text")] if wasted else []), *drawing]
    if not maps:
        return []
    return [section("Contents of the images", "images", legend(wasted=any_wasted), *maps)]
