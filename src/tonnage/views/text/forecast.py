"""A forecast for people: each service with what weighs most, the stack's totals, and whether it fits.

Every figure here was forecast; its grade stands beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.escapes import visible_in_line
from tonnage.model.forecast.estimate import Grade
from tonnage.model.forecast.fit import FitVerdict, worst
from tonnage.units import format_bytes
from tonnage.views.text.layout import GAP, columns, folded, joined
from tonnage.views.text.piece_bars import heaviest_piece, piece_bars
from tonnage.views.text.remedies import remedy_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.estimate import Contributor, Estimate, InstructionForecast, ServiceForecast
    from tonnage.model.forecast.finding import Finding
    from tonnage.model.forecast.fit import DeployNeed, FilesystemFit, Remedy
    from tonnage.model.forecast.stack_forecast import FilesystemForecast, StackForecast

_HEADS = ("service", "image", "disk", "temporary", "download", "confidence")
_LARGEST = 5
_HEAVIEST = 30
_WORTH_SHOWING = 1_000_000
_FIGURES = (1, 2, 3, 4)
_NARROWEST_NAME, _WIDEST_NAME = 24, 64
_WORDS = 31
"""Characters that a chain is given at least, where names may be cut for it."""
_LINK = " <- "
_ONE_BY_ONE = "one after the other, no cleanup"


class _Row(Struct, frozen=True):
    """One line of the table: a name, its figures, and what stands in place of those that are left out at its end."""

    name: str
    figures: tuple[str, ...] = ()
    words: str = ""


def forecast_text(
    forecast: StackForecast,
    fittings: Sequence[FilesystemFit] = (),
    *,
    width: int = 80,
    disk_known: bool = True,
    deploy: DeployNeed | None = None,
    remedies: Sequence[Remedy] = (),
) -> str:
    """Write the forecast of a stack.

    Args:
        deploy: What the plan of a deploy needs; None where that is not known.
        remedies: What would make it fit.
    """
    rows = [_Row(_HEADS[0], _HEADS[1:])]
    told: dict[str, str] = {}
    for service in forecast.services:
        rows += [_Row(service.service, _figures(service.image, service.disk, service.transient, service.download))]
        rows += _heaviest(service, told)
    rows.append(_Row("stack", _figures(forecast.image, forecast.disk, forecast.transient, forecast.download)))
    lines = [f"forecast of {forecast.stack}, built by {_ENGINES[forecast.engine]}", "", *_table(rows, width)]
    lines += _remarks(forecast, width)
    lines.append("")
    for line in fit_lines(forecast, fittings, disk_known=disk_known, deploy=deploy):
        text = line.lstrip()
        lines += folded((text,), width, indent=line[: len(line) - len(text)])
    if remedies:
        lines += ["", "what would make it fit, each forecast again:", *remedy_lines(remedies, width)]
    return joined(lines)


def _figures(image: Estimate, disk: Estimate, transient: Estimate, download: Estimate) -> tuple[str, ...]:
    figures = (format_bytes(each.likely_bytes) for each in (image, disk, transient, download))
    # What any builder needs of its own while it works says nothing of how the rest is known.
    little = transient.grade is Grade.DECLARED and transient.high_bytes <= _WORTH_SHOWING
    return (*figures, str(_grade(image, disk, *(() if little else (transient,)))))


def _table(rows: Sequence[_Row], width: int) -> list[str]:
    """Return rows as lines of one table; names are cut where it would be wider, words at the end of the line."""
    shown = [(visible_in_line(row.name), *row.figures) for row in rows]
    widths = [max(len(row[at]) for row in shown if len(row) > at) for at in range(len(_HEADS))]
    widths[0] = min(widths[0], _WIDEST_NAME)
    if width:
        others = sum(widths[1:]) + len(GAP) * (len(_HEADS) - 1)
        # Words begin after the figure of the disk.
        words = max(len(row.words) for row in rows)
        before = sum(widths[1:3]) + len(GAP) * 3
        widths[0] = min(widths[0], max(min(width - others, width - before - min(words, _WORDS)), _NARROWEST_NAME))
    lines = []
    for row, cells in zip(rows, shown, strict=True):
        parts = [_cut(cells[0], widths[0]).ljust(widths[0])]
        parts += [
            cell.rjust(widths[at]) if at in _FIGURES else cell.ljust(widths[at]) for at, cell in enumerate(cells[1:], 1)
        ]
        left = GAP.join((*parts, "")) if row.words else GAP.join(parts)
        lines.append(_cut(f"{left}{_shortened(visible_in_line(row.words), width - len(left))}".rstrip(), width))
    return lines


def _shortened(words: str, width: int) -> str:
    """Return a chain that fits, as far as it can: the place of the requirement stays longest, then what is nearest."""
    links = f" {words}".split(_LINK)[1:]
    shown = words
    for kept in range(len(links) - 2, -1, -1):
        if not len(shown) > width > 0:
            break
        shown = _LINK.join(("", *links[:kept], "...", links[-1])).lstrip()
    # That something is left out is worth less than how the figure is known, which stands at the end.
    return _LINK.join(("", links[-1])).lstrip() if links and len(shown) > width > 0 else shown


def _heaviest(service: ServiceForecast, told: dict[str, str]) -> list[_Row]:
    """Return the instructions that weigh most, each with what weighs most in it; what was told before only by name.

    Args:
        told: The service under which an instruction was told, by its identity.
    """
    # Two stages on one base have it once.
    steps = {step.key or f"{step.stage} {number}": step for number, step in enumerate(service.steps)}
    heavy = sorted((pair for pair in steps.items() if _weighs(pair[1])), key=lambda pair: -pair[1].disk.likely_bytes)
    rows: list[_Row] = []
    repeated: dict[str, list[InstructionForecast]] = {}
    left = _LARGEST
    for key, step in heavy[:_LARGEST]:
        if step.key and key in told:
            repeated.setdefault(told[key], []).append(step)
            continue
        told[key] = service.service
        name = f"  line {step.line}: {_on_one_line(step)}" if step.line else f"  {step.text}"
        rows.append(_Row(name, _figures(step.image, step.disk, step.transient, step.download)))
        parts = [each for each in step.contributors if each.disk.likely_bytes >= _WORTH_SHOWING][:left]
        if len(step.contributors) == 1 and step.contributors[0].name in step.text:
            continue
        left -= len(parts)
        rows += [
            _Row(f"    {each.name}", ("", format_bytes(each.disk.likely_bytes)), _brought(each, step)) for each in parts
        ]
    for before, same in repeated.items():
        places = ", ".join(str(line) for line in sorted(step.line for step in same if step.line))
        name = f"  line{'s' if len(same) > 1 else ''} {places}" if places else "  its image"
        disk_bytes = sum(step.disk.likely_bytes for step in same)
        rows.append(_Row(name, ("", format_bytes(disk_bytes)), f"once, with {before}"))
    return rows


def _on_one_line(step: InstructionForecast) -> str:
    return " ".join(step.text.split())


def _chain(each: Contributor) -> str:
    return _LINK.join(("", *each.brought_by)).lstrip()


def _weighs(step: InstructionForecast) -> bool:
    return not step.present and max(step.disk.likely_bytes, step.transient.likely_bytes) >= _WORTH_SHOWING


def _brought(each: Contributor, step: InstructionForecast) -> str:
    """Return how a part of an instruction came into it, and how it is known where that is worse than counted."""
    words = [_chain(each)] if each.brought_by else []
    if step.text.startswith("COPY --from"):
        words.append("from another stage")
    if each.disk.grade is not Grade.EXACT:
        words.append(f"({each.disk.grade})")
    return " ".join(words)


def fit_lines(
    forecast: StackForecast,
    fittings: Sequence[FilesystemFit],
    *,
    disk_known: bool = True,
    deploy: DeployNeed | None = None,
) -> list[str]:
    """Write whether it fits."""
    lines = []
    for each in fittings:
        room = each.room
        lines.append(
            f"{room.mount} ({', '.join(room.roles)}): {format_bytes(room.available_bytes)} available,"
            f" reserve {format_bytes(room.reserve_bytes)}, usable {format_bytes(room.headroom_bytes)}"
        )
        planned = deploy if deploy is not None and deploy.mount == room.mount else None
        lines += _needs(each, planned)
    decisive = worst(fittings)
    if decisive is not None:
        return [*lines, f"{_verdict(decisive, deploy)}{_reserved(forecast, decisive, deploy)}", *_way_out(decisive)]
    if not forecast.filesystems:
        return [*lines, "nothing to download or build"]
    for number, disk in enumerate(forecast.filesystems):
        lines += [f"the disk ({disk.role}):", *_needs(disk, deploy if number == 0 else None)]
    if not disk_known:
        lines.append("no engine answers, so its free space is unknown: name a disk with --disk SIZE")
    return lines


def _needs(disk: FilesystemFit | FilesystemForecast, deploy: DeployNeed | None) -> list[str]:
    """Write what builds need of a filesystem at their worst moment, and what they keep."""
    needs = [(_range(deploy.peak), _way(deploy))] if deploy is not None else []
    needs += [(_range(disk.one_after_the_other), _ONE_BY_ONE), (_range(disk.all_at_once), "all at once")]
    return columns([("  peak", peak, how) for peak, how in needs] + [("  kept", _range(disk.kept), "")])


def _way(deploy: DeployNeed) -> str:
    """Return how a plan goes about it, in words."""
    command = "tonnage deploy" if deploy.purpose == "deploy" else "tonnage build --push"
    return f"{command}, with cleanup" if deploy.cleans else command


def explain_text(service: ServiceForecast, *, width: int = 80, ascii_only: bool = False) -> str:
    """Write every instruction of one service with what weighs in it."""
    lines = [f"{service.service}: {format_bytes(service.image.likely_bytes)} image"]
    if service.target:
        lines[0] += f", {service.target}"
    most = heaviest_piece(service.steps)
    for step in service.steps:
        lines += ["", *_step_lines(step, width, most, ascii_only=ascii_only)]
    if service.beside.high_bytes:
        lines += ["", f"the whole context is copied during the build: {_range(service.beside)}"]
    lines += ["", f"sum: disk {_range(service.disk)}, temporary {_range(service.transient)}"]
    said: list[tuple[str, ...]] = [(f"unknown: {failure}",) for failure in service.failures]
    said += [_finding_lines(finding) for finding in service.findings]
    said += [(f"note: {note}",) for note in service.notes]
    lines += [line for each in said for line in folded(each, width, indent="  ")]
    return joined(lines)


_ENGINES = {
    "classic": "the classic builder",
    "buildkit": "BuildKit",
    "containerd": "BuildKit into containerd's image store",
    "container-containerd": "BuildKit in a container, loaded into containerd's image store",
    "container": "BuildKit in a container, loaded into the engine",
}


def _grade(*estimates: Estimate) -> Grade:
    order = list(Grade)
    return max((estimate.grade for estimate in estimates), key=order.index)


def _step_lines(step: InstructionForecast, width: int, most: int, *, ascii_only: bool) -> list[str]:
    place = f"stage {step.stage}, line {step.line}: " if step.line else ""
    lines = [_cut(f"{place}{step.text}", width)]
    if step.present:
        return [*lines, "  the engine has it already"]
    parts = [
        f"{name} {_range(estimate)}"
        for name, estimate in (
            ("image", step.image),
            ("disk", step.disk),
            ("temporary", step.transient),
            ("download", step.download),
        )
        if estimate.high_bytes or not estimate.known
    ]
    lines.append(f"  {', '.join(parts) if parts else 'no bytes'}{f' - {step.how}' if step.how else ''}")
    shown = [each for each in step.contributors if each.disk.high_bytes][:_HEAVIEST]
    bars = piece_bars([each.disk.likely_bytes for each in shown], most, width=width, ascii_only=ascii_only)
    rows = [
        (
            format_bytes(each.disk.likely_bytes),
            *bar,
            each.disk.grade.value,
            each.name,
            f"{_chain(each)}, {each.source}" if each.brought_by else each.source,
        )
        for each, bar in zip(shown, bars, strict=True)
    ]
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
    return f"{likely} {estimate.grade}{between}{_less_known(estimate)}"


def _less_known(estimate: Estimate) -> str:
    """Return how much of a figure is known less well than its grade says; nothing below what is worth showing."""
    told = [f"{format_bytes(count)} {grade}" for grade, count in estimate.weaker if count >= _WORTH_SHOWING]
    return f", of it {' and '.join(told)}" if told else ""


def _remarks(forecast: StackForecast, width: int) -> list[str]:
    said: dict[tuple[str, ...], list[str]] = {}
    for service in forecast.services:
        texts: list[tuple[str, ...]] = [(f"unknown: {failure}",) for failure in service.failures]
        texts += [_finding_lines(finding) for finding in service.findings]
        texts += [(note,) for note in service.notes]
        texts += [
            (f"assumed {format_bytes(step.disk.high_bytes)} at most for {_on_one_line(step)}",)
            for step in service.steps
            if not step.present and step.disk.grade is Grade.UNKNOWN and not _is_told(step, service.failures)
        ]
        for text in dict.fromkeys(texts):
            said.setdefault(text, []).append(service.service)
    lines = []
    # What holds for several services is said once.
    for (first, *copied), services in said.items():
        line = f"{', '.join(services)}: {first}"
        lines += [_cut(line, width)] if first.startswith("assumed ") else folded((line, *copied), width)
    if any(service.disk.grade is Grade.UNKNOWN for service in forecast.services):
        lines += folded(("change the assumed size with --assume SIZE, or assume-unknown in x-tonnage",), width)
    return ["", *lines] if lines else []


def _is_told(step: InstructionForecast, failures: Sequence[str]) -> bool:
    """Return whether a base image is named already among what is not known: the table has its assumed size."""
    instruction, _, rest = step.text.partition(" ")
    names = [word for word in rest.split()[:2] if not word.startswith("--")]
    return instruction.upper() == "FROM" and any(f"the image {name}:" in each for name in names for each in failures)


def _finding_lines(finding: Finding) -> tuple[str, ...]:
    """Return what a finding says, and the lines of it that are to be copied."""
    todo = finding.todo.split("\n")
    words = " ".join(line.strip() for line in todo if not line.startswith(" "))
    copied = (line.strip() for line in todo if line.startswith(" "))
    return (f"{finding.place}: [{finding.rule}] {finding.text}. {words}".rstrip(), *copied)


def _verdict(each: FilesystemFit, deploy: DeployNeed | None) -> str:
    missing = format_bytes(each.missing_bytes)
    planned = deploy is not None and deploy.mount == each.room.mount
    match each.fit:
        case FitVerdict.FITS:
            return "fits, even if all services are built at once"
        case FitVerdict.ONE_AT_A_TIME:
            way = f" ({_way(deploy)})" if deploy is not None and planned else ""
            return f"fits only one at a time{way}: all at once {missing} would be missing on {each.room.mount}"
        case FitVerdict.DOUBTFUL:
            return f"may not fit: up to {missing} could be missing on {each.room.mount}"
    return f"does not fit: {missing} are missing on {each.room.mount}"


def _reserved(forecast: StackForecast, each: FilesystemFit, deploy: DeployNeed | None) -> str:
    """Return what a verdict rests on besides figures that are known."""
    peak = deploy.peak if deploy is not None and deploy.mount == each.room.mount else each.one_after_the_other
    rests = [] if peak.grade is not Grade.UNKNOWN else ["including assumptions for unknown commands"]
    if deploy is not None and deploy.freed_bytes:
        rests.append(f"once {format_bytes(deploy.freed_bytes)} are reclaimed, which it does before")
    if any(service.broken for service in forecast.services):
        rests.append("once the errors above are fixed")
    return f", {' and '.join(rests)}" if rests and each.holds else ""


def _way_out(each: FilesystemFit) -> list[str]:
    """Return what helps where a stack does not fit, or may not."""
    room = each.room
    if each.holds:
        return []
    lines = ["free space: tonnage reclaim; see what uses it: tonnage forecast --explain SERVICE"]
    if room.headroom_bytes <= 0:
        lines.insert(0, "nothing is left above the reserve: --keep-free SIZE sets another one")
    return lines


def _cut(line: str, width: int) -> str:
    return line if not width or len(line) <= width else f"{line[: max(width - 3, 1)]}..."
