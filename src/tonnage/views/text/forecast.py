"""A forecast for people: each service with what weighs most, the stack's totals, and whether it fits.

Every figure here was forecast; its grade stands beside it.
"""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

from tonnage.escapes import visible_in_line
from tonnage.model.forecast.estimate import Grade
from tonnage.model.forecast.fit import FitVerdict, worst
from tonnage.units import format_bytes
from tonnage.views.text.layout import columns, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.estimate import (
        Contributor,
        Estimate,
        InstructionForecast,
        ServiceForecast,
        StackForecast,
    )
    from tonnage.model.forecast.finding import Finding
    from tonnage.model.forecast.fit import FilesystemFit

_HEADS = ("service", "image", "disk", "on top", "download", "known")
_LARGEST = 5
_HEAVIEST = 30
_WORTH_SHOWING = 1_000_000


def forecast_text(
    forecast: StackForecast, fittings: Sequence[FilesystemFit] = (), *, width: int = 80, disk_known: bool = True
) -> str:
    """Write the forecast of a stack."""
    rows: list[tuple[str, ...]] = [_HEADS]
    below: list[list[str]] = [[]]
    for service in forecast.services:
        rows.append(_row(service.service, service))
        below.append(_largest(service, width))
    rows.append(
        (
            "stack",
            *(format_bytes(e.likely_bytes) for e in (forecast.image, forecast.disk, forecast.transient)),
            format_bytes(forecast.download.likely_bytes),
            str(_grade(forecast.disk, forecast.transient)),
        )
    )
    below.append([])
    table = columns(rows, right=(1, 2, 3, 4))
    lines = [f"forecast of {forecast.stack}, built by {_ENGINES[forecast.engine]}", ""]
    for line, more in zip(table, below, strict=True):
        lines += [line, *more]
    lines += _remarks(forecast, width)
    lines.append("")
    for line in fit_lines(forecast, fittings, disk_known=disk_known):
        text = line.lstrip()
        lines += _folded((text,), width, indent=line[: len(line) - len(text)])
    return joined(lines)


def fit_lines(forecast: StackForecast, fittings: Sequence[FilesystemFit], *, disk_known: bool = True) -> list[str]:
    """Write whether it fits."""
    lines = []
    for each in fittings:
        room = each.room
        lines.append(
            f"{room.mount} ({', '.join(room.roles)}): {format_bytes(room.available_bytes)} available,"
            f" reserve {format_bytes(room.reserve_bytes)}, headroom {format_bytes(room.headroom_bytes)}"
        )
        lines.append(f"  kept {_range(each.kept)}")
        lines.append(f"  peak {_range(each.one_after_the_other)} one after the other")
        lines.append(f"  peak {_range(each.all_at_once)} all at once")
    decisive = worst(fittings)
    if decisive is not None:
        return [*lines, *_way_out(decisive), f"{_verdict(decisive)}{_reserved(forecast, decisive)}"]
    if not forecast.filesystems:
        return [*lines, "nothing is written: the engine has everything already"]
    lines += [
        f"{disk.role}: kept {_range(disk.kept)}, peak {_range(disk.one_after_the_other)} one after the other,"
        f" {_range(disk.all_at_once)} all at once"
        for disk in forecast.filesystems
    ]
    if not disk_known:
        lines.append("no engine answers, so there is no disk to compare with: give its size with --disk SIZE")
    return lines


def explain_text(service: ServiceForecast, *, width: int = 80) -> str:
    """Write every instruction of one service with what weighs in it."""
    lines = [f"{service.service}: {format_bytes(service.image.likely_bytes)} image"]
    if service.target:
        lines[0] += f", {service.target}"
    for step in service.steps:
        lines += ["", *_step_lines(step, width)]
    if service.beside.high_bytes:
        lines += ["", f"the whole context is copied during the build: {_range(service.beside)}"]
    lines += ["", f"sum: disk {_range(service.disk)}, on top {_range(service.transient)}"]
    said: list[tuple[str, ...]] = [(f"not known: {failure}",) for failure in service.failures]
    said += [_finding_lines(finding) for finding in service.findings]
    said += [(f"note: {note}",) for note in service.notes]
    lines += [line for each in said for line in _folded(each, width, indent="  ")]
    return joined(lines)


_ENGINES = {
    "classic": "the classic builder",
    "buildkit": "BuildKit",
    "containerd": "BuildKit into containerd's image store",
    "container-containerd": "BuildKit in a container, loaded into containerd's image store",
    "container": "BuildKit in a container, loaded into the engine",
}


def _row(name: str, service: ServiceForecast) -> tuple[str, ...]:
    return (
        name,
        format_bytes(service.image.likely_bytes),
        format_bytes(service.disk.likely_bytes),
        format_bytes(service.transient.likely_bytes),
        format_bytes(service.download.likely_bytes),
        str(_grade(service.image, service.disk, service.transient)),
    )


def _grade(*estimates: Estimate) -> Grade:
    order = list(Grade)
    return max((estimate.grade for estimate in estimates), key=order.index)


def _largest(service: ServiceForecast, width: int) -> list[str]:
    # Two stages on one base, or two services with the same layer, have it once.
    steps = {step.key or f"{step.stage} {number}": step for number, step in enumerate(service.steps)}
    found = [
        (each, step)
        for step in steps.values()
        if not step.present
        for each in (step.contributors or (None,))
        if each is not None or step.disk.likely_bytes >= _WORTH_SHOWING
    ]
    sized = sorted(found, key=lambda pair: -_disk(*pair).likely_bytes)[:_LARGEST]
    rows = [
        (format_bytes(_disk(each, step).likely_bytes), _disk(each, step).grade.value, _name(each, step))
        for each, step in sized
        if _disk(each, step).high_bytes >= _WORTH_SHOWING
    ]
    return [_cut(line, width) for line in columns(rows, right=(0,), indent="    ")]


def _name(each: Contributor | None, step: InstructionForecast) -> str:
    if each is None:
        return step.text
    return f"{each.name}, copied from another stage" if step.text.startswith("COPY --from") else each.name


def _disk(each: Contributor | None, step: InstructionForecast) -> Estimate:
    return step.disk if each is None else each.disk


def _step_lines(step: InstructionForecast, width: int) -> list[str]:
    place = f"stage {step.stage}, line {step.line}: " if step.line else ""
    lines = [_cut(f"{place}{step.text}", width)]
    if step.present:
        return [*lines, "  the engine has it already"]
    parts = [
        f"{name} {_range(estimate)}"
        for name, estimate in (
            ("image", step.image),
            ("disk", step.disk),
            ("on top", step.transient),
            ("download", step.download),
        )
        if estimate.high_bytes or not estimate.known
    ]
    lines.append(f"  {', '.join(parts) if parts else 'no bytes'}{f' - {step.how}' if step.how else ''}")
    shown = [each for each in step.contributors if each.disk.high_bytes][:_HEAVIEST]
    rows = [(format_bytes(each.disk.likely_bytes), each.disk.grade.value, each.name, each.source) for each in shown]
    lines += [_cut(line, width) for line in columns(rows, right=(0,), indent="    ")]
    if len(step.contributors) > len(shown):
        rest_bytes = sum(each.disk.likely_bytes for each in step.contributors[len(shown) :])
        lines.append(f"    {format_bytes(rest_bytes)} in {len(step.contributors) - len(shown)} more")
    return lines


def _range(estimate: Estimate) -> str:
    if not estimate.known:
        return "unknown"
    low, likely, high = (
        format_bytes(count) for count in (estimate.low_bytes, estimate.likely_bytes, estimate.high_bytes)
    )
    between = f" ({low} to {high})" if low != high else ""
    return f"{likely} {estimate.grade}{between}"


def _remarks(forecast: StackForecast, width: int) -> list[str]:
    said: dict[tuple[str, ...], list[str]] = {}
    for service in forecast.services:
        texts: list[tuple[str, ...]] = [(f"not known: {failure}",) for failure in service.failures]
        texts += [_finding_lines(finding) for finding in service.findings]
        texts += [(note,) for note in service.notes]
        texts += [
            (f"assumed {format_bytes(step.disk.high_bytes)} at most for {step.text}",)
            for step in service.steps
            if not step.present and step.disk.grade is Grade.UNKNOWN
        ]
        for text in dict.fromkeys(texts):
            said.setdefault(text, []).append(service.service)
    lines = []
    # What holds for several services is said once.
    for (first, *copied), services in said.items():
        line = f"{', '.join(services)}: {first}"
        lines += [_cut(line, width)] if first.startswith("assumed ") else _folded((line, *copied), width)
    if any(service.disk.grade is Grade.UNKNOWN for service in forecast.services):
        lines += _folded(("another bound for what nobody knows: --assume SIZE, or assume-unknown in x-tonnage",), width)
    return ["", *lines] if lines else []


def _finding_lines(finding: Finding) -> tuple[str, ...]:
    """Return what a finding says, and the lines of it that are to be copied."""
    todo = finding.todo.split("\n")
    words = " ".join(line.strip() for line in todo if not line.startswith(" "))
    copied = (line.strip() for line in todo if line.startswith(" "))
    return (f"{finding.place}: [{finding.rule}] {finding.text}. {words}".rstrip(), *copied)


def _folded(said: Sequence[str], width: int, *, indent: str = "") -> list[str]:
    """Return a sentence whose lines end between words, and below it the lines that are to be copied as they are."""
    hanging = f"{indent}  "
    lines = textwrap.wrap(
        visible_in_line(said[0]), width or sys.maxsize, initial_indent=indent, subsequent_indent=hanging,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [*lines, *(f"{hanging}  {line}" for line in said[1:])]


def _verdict(each: FilesystemFit) -> str:
    missing = f"{format_bytes(each.missing_bytes)} ({each.missing_bytes} bytes)"
    match each.fit:
        case FitVerdict.FITS:
            return "fits, also all at once"
        case FitVerdict.ONE_AT_A_TIME:
            return f"fits only one at a time: all at once {missing} would be missing on {each.room.mount}"
        case FitVerdict.DOUBTFUL:
            return f"may not fit: up to {missing} could be missing on {each.room.mount}"
    return f"does not fit by {missing} on {each.room.mount}"


def _reserved(forecast: StackForecast, each: FilesystemFit) -> str:
    """Return what a verdict rests on besides figures that are known."""
    rests = (
        [] if each.one_after_the_other.grade is not Grade.UNKNOWN else ["with what is assumed for what nobody knows"]
    )
    if any(service.broken for service in forecast.services):
        rests.append("once what cannot be built is corrected")
    return f", {' and '.join(rests)}" if rests and each.fit in {FitVerdict.FITS, FitVerdict.ONE_AT_A_TIME} else ""


def _way_out(each: FilesystemFit) -> list[str]:
    """Return what helps where a stack does not fit, or may not."""
    room = each.room
    if each.fit in {FitVerdict.FITS, FitVerdict.ONE_AT_A_TIME}:
        return []
    lines = ["to make room: tonnage reclaim; what takes it: tonnage forecast --explain SERVICE"]
    if room.headroom_bytes <= 0:
        lines.insert(0, "nothing is left above the reserve: --keep-free SIZE sets another one")
    return lines


def _cut(line: str, width: int) -> str:
    return line if not width or len(line) <= width else f"{line[: max(width - 3, 1)]}..."
