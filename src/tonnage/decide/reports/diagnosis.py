"""Turns what a log shows into what happened, why, and what to do, with the figures of this machine. Pure.

A sign that may have several causes is put down to a full disk only when the log says so elsewhere or the figures
support it. What is not known is said not to be known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.reports.known_causes import IN_ORDER, known_cause
from tonnage.decide.reports.machine_figures import (
    failed_step,
    filesystem_of,
    is_named,
    is_nearly_full,
    is_tight,
    is_without_inodes,
    ran_dry,
    ran_out_of_inodes,
    service_of,
)
from tonnage.model.deploy.run import Outcome
from tonnage.model.reports.symptom import (
    FULL_DISK_FOR_SURE,
    FULL_DISK_PERHAPS,
    Explanation,
    LogOrigin,
    SymptomKind,
)
from tonnage.units import format_bytes, format_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.decide.reports.machine_figures import (
        Machine,
    )
    from tonnage.model.deploy.run import Run, StepOutcome
    from tonnage.model.inventory import Filesystem
    from tonnage.model.reports.symptom import Symptom

_NOWHERE = LogOrigin()
_SHOWN_OF_LOG = 3


def explain(symptoms: Sequence[Symptom], machine: Machine, origin: LogOrigin = _NOWHERE) -> tuple[Explanation, ...]:
    """Explain what a log shows.

    Args:
        origin: Where and when it was written, as far as it says so.
    """
    full = [each for each in symptoms if each.kind in FULL_DISK_FOR_SURE]
    perhaps = [each for each in symptoms if each.kind in FULL_DISK_PERHAPS]
    if full or any(is_tight(machine, filesystem_of(each, machine)) for each in perhaps):
        shown = [*full, *perhaps]
        first = _full_disk(shown, machine, origin)
        explained = set(map(id, shown))
        # What a full disk breaks is no cause of its own.
        followed = {SymptomKind.BUILD, SymptomKind.PIP}
        rest = [each for each in symptoms if id(each) not in explained and each.kind not in followed]
        return (first, *_others(rest, machine, origin))
    return _others(symptoms, machine, origin)


def run_as_told(run: Run) -> Explanation:
    """Return what the journal has of a run that failed, where its log has no known sign."""
    step = next((each for each in run.steps if each.outcome is Outcome.FAILED), None)
    said = (step.message if step is not None else "") or run.message or "The journal has no reason."
    end = [line for line in step.log.splitlines() if line.strip()][-_SHOWN_OF_LOG:] if step is not None else []
    return Explanation(
        kind=SymptomKind.BUILD,
        what=f"run {run.run_id} of {run.stack} failed{f': step {step.name}' if step is not None else ''}",
        why=(*said.splitlines(), *end),
        todo=f"See all of it:\n  tonnage report --run {run.run_id}",
        symptoms=(),
        service=step.service if step is not None else "",
    )


def _full_disk(shown: Sequence[Symptom], machine: Machine, origin: LogOrigin) -> Explanation:
    first = shown[0]
    if first.cause == "thin-pool":
        return _thin_pool(shown, machine, origin)
    disk = filesystem_of(first, machine)
    inodes = disk is not None and (is_without_inodes(disk) or ran_out_of_inodes(machine.run))
    where = f"the disk of {machine.elsewhere}" if machine.elsewhere else "the disk"
    if disk is not None and (is_tight(machine, disk) or machine.run is not None or is_named(first, machine, disk)):
        where = disk.mount
    elif _is_below(_RUN, first):
        where = _RUN
    who = first.told_by or "a program"
    wrote = f" {first.path}" if first.path else ""
    service = service_of(first, machine, origin)
    told = f" (service {service})" if service else ""
    what = f"{where} {'has no inodes left' if inodes else 'was full'}: {who} could not write{wrote}{told}"
    why = [_place(first)]
    if first.kind in FULL_DISK_PERHAPS:
        why.append(_what_it_hides(first))
    step = failed_step(machine.run)
    if step is not None and disk is not None and not inodes and not ran_dry(step, disk):
        what = f"{who} was told that there is no space, but {where} had room"
        why.append(_room_for_bytes(disk))
    missing = first.named_bytes if first.kind in FULL_DISK_FOR_SURE else None
    if missing is not None:
        why.append(f"The log names {format_bytes(missing)}.")
    if step is not None and machine.run is not None:
        why.append(_measured(step, machine.run))
    if disk is not None:
        why.append(_now(disk, dict(machine.reserves).get(disk.mount), inodes=inodes))
    lacking, sentences = _what_fits(machine, disk)
    why += sentences
    why += _hints(shown, machine, origin)
    if missing is None and lacking is None and step is None:
        why.append("Neither the log nor earlier runs tell how much was missing.")
    return Explanation(
        kind=SymptomKind.DISK_FULL,
        what=what,
        why=tuple(why),
        todo=_INODES if inodes else _room(machine, disk, lacking, origin, first),
        symptoms=tuple(shown),
        service=service,
        elsewhere=machine.elsewhere,
        mount=disk.mount if disk else "",
        missing_bytes=missing,
        forecast_missing_bytes=lacking,
    )


_INODES = (
    "Every file takes an inode, whatever its size. Find where the files are, and remove what can be got back:\n"
    "  tonnage reclaim\n"
    "A filesystem gets more of them only when it is made: mkfs.ext4 -N, or xfs."
)


def _room(machine: Machine, disk: Filesystem | None, lacking: int | None, origin: LogOrigin, first: Symptom) -> str:
    lines = []
    if origin.heavy:
        lines += [
            "Where there is no GPU, take the wheels of PyTorch that need no CUDA; lint prices them and fixes the file:",
            "  tonnage lint",
        ]
    if _CACHE in first.path:
        lines += [
            "Keep caches out of the image (RUN --mount=type=cache, pip's --no-cache-dir); lint names the lines:",
            "  tonnage lint",
        ]
    if machine.elsewhere:
        return "\n".join((*lines, *_room_elsewhere(machine, lines)))
    if lacking and disk:
        lines += [
            "Free what is missing, cheapest to recreate first:",
            f"  tonnage reclaim --free {_for_typing(lacking)}",
        ]
    elif machine.forecast is None:
        lines += ["See what the stack needs before anything is built:", "  tonnage forecast"]
    lines += ["Build and deploy one service at a time, stopped before the disk is full:", "  tonnage deploy"]
    return "\n".join(lines)


_CACHE = "/.cache/"
_RUN = "/run"


def _is_below(directory: str, symptom: Symptom) -> bool:
    return not symptom.in_build and symptom.path.startswith(f"{directory}/")


def _room_elsewhere(machine: Machine, above: Sequence[str]) -> list[str]:
    if machine.elsewhere == "the GitHub runner":
        return [
            "See what the stack needs on such a runner, before it builds:",
            "  tonnage forecast --disk 14GB",
            "Write workflows that free what each build needs, and build one service after the other:",
            "  tonnage ci github --write",
        ]
    return [
        f"{'Then s' if above else 'S'}ee what the stack needs, and free it there:",
        "  tonnage forecast",
        "  tonnage reclaim",
    ]


def _room_for_bytes(disk: Filesystem) -> str:
    other = "a tmpfs, a mount of the build, or a quota"
    if not disk.inodes:
        return f"So it was a place of a size of its own: {other}."
    return f"So it was a place of a size of its own ({other}), or the inodes had run out: df --inodes {disk.mount}."


def _hints(shown: Sequence[Symptom], machine: Machine, origin: LogOrigin) -> list[str]:
    said = []
    if machine.elsewhere:
        said.append(f"The log is from {machine.elsewhere}: the figures of this machine say nothing of it.")
    if origin.heavy:
        said.append(f"It installs CUDA ({', '.join(origin.heavy[:3])}): several GB that only a GPU uses.")
    if _is_below(_RUN, shown[0]):
        said.append(f"{_RUN} is a tmpfs on most machines: it takes memory, and has a size of its own: df {_RUN}.")
    if _CACHE in shown[0].path:
        said.append("The path belongs to a cache of downloads, which an image does not need.")
    return said


def _thin_pool(shown: Sequence[Symptom], machine: Machine, origin: LogOrigin) -> Explanation:
    return Explanation(
        kind=SymptomKind.DISK_FULL,
        what="the engine's thin pool (device mapper) was full",
        why=(_place(shown[0]), "A pool has a size of its own: the filesystems of the machine may have room."),
        todo=(
            "See it, and extend it or remove images:\n"
            "  docker info | grep -i -e 'data space' -e 'metadata space'\n"
            "  sudo lvs\n"
            "Docker 25 has no device mapper any more; overlay2 needs no pool."
        ),
        symptoms=tuple(shown),
        cause="thin-pool",
        service=service_of(shown[0], machine, origin),
        elsewhere=machine.elsewhere,
    )


def _for_typing(count_bytes: int) -> str:
    """Return a size that the command accepts and that is not less."""
    return f"{-(-count_bytes // 10**6)}MB"


def _place(symptom: Symptom) -> str:
    when = f", {symptom.when}" if symptom.when else ""
    return f"Line {symptom.line}{when}: {symptom.text}"


def _what_it_hides(symptom: Symptom) -> str:
    return {
        SymptomKind.SIGBUS: "A program that writes through a memory map is ended by SIGBUS when the disk has no room.",
        SymptomKind.LAYER: "An image's layer could not be unpacked.",
        SymptomKind.RUNNER_LOST: "The runner writes its own log on that disk and ends when it cannot.",
        SymptomKind.LOW_DISK: "A program warned of it.",
        SymptomKind.IMAGE_MISSING: "An image that could not be stored is not found afterwards.",
        SymptomKind.CUT_SHORT: "What is written to a full disk is cut short, and does not hold afterwards.",
        SymptomKind.READ_ONLY: "A disk that cannot be written any more may be mounted read-only.",
        SymptomKind.DISK_ERROR: "A virtual disk whose host is full answers with errors of input and output.",
    }[symptom.kind]


def _measured(step: StepOutcome, run: Run) -> str:
    seen = step.measured[0]
    return (
        f"Run {run.run_id}, step {step.name}: {format_bytes(seen.before_bytes)} were available on {seen.mount} when it"
        f" began, {format_bytes(seen.lowest_bytes)} at the lowest; it failed after {format_seconds(step.seconds)},"
        f" having taken {format_bytes(max(0, seen.before_bytes - seen.lowest_bytes))} (measured)."
    )


def _now(disk: Filesystem, line: int | None, *, inodes: bool) -> str:
    mark = f", reserve {format_bytes(line)}" if line is not None else ""
    few = inodes or disk.available_inodes * 10 < disk.inodes
    counted = f", {disk.available_inodes} of {disk.inodes} inodes available" if few else ""
    room = f"{format_bytes(disk.available_bytes)} available of {format_bytes(disk.size_bytes)}"
    said = f"Now on {disk.mount}: {room}{mark}{counted}."
    if not inodes and not is_nearly_full(disk):
        said += " It has free space again: a failed step frees what it wrote, or the log is from elsewhere."
    return said


def _what_fits(machine: Machine, disk: Filesystem | None) -> tuple[int | None, list[str]]:
    """Return what is missing on a filesystem, and what would fit, both forecast."""
    fit = next((each for each in machine.fits if disk is not None and each.room.mount == disk.mount), None)
    if machine.forecast is None or fit is None:
        return None, []
    services, room = machine.forecast.services, max(0, fit.room.headroom_bytes)
    largest = max(services, key=lambda each: each.peak.likely_bytes)
    need = f"{format_bytes(largest.peak.likely_bytes)} at its worst moment ({largest.peak.grade})"
    sentences = [f"Forecast: {largest.service} needs {need}."]
    peak, at_once = fit.one_after_the_other.likely_bytes, fit.all_at_once.likely_bytes
    if len(services) > 1:
        sentences.append(
            f"All {len(services)} at once need {format_bytes(at_once)}: {_fits(at_once, room)}."
            f" One after the other they need {format_bytes(peak)}: {_fits(peak, room)}."
        )
    else:
        sentences.append(f"There is room for {format_bytes(room)} above the reserve: {_fits(peak, room)}.")
    return max(0, peak - room) or None, sentences


def _fits(need_bytes: int, room_bytes: int) -> str:
    return "that fits" if need_bytes <= room_bytes else f"{format_bytes(need_bytes - room_bytes)} too much"


def _others(symptoms: Sequence[Symptom], machine: Machine, origin: LogOrigin) -> tuple[Explanation, ...]:
    """Explain what is not a full disk: each kind and cause once, the first line of it."""
    found: dict[tuple[SymptomKind, str], list[Symptom]] = {}
    for each in symptoms:
        found.setdefault((each.kind, each.cause), []).append(each)
    return tuple(
        _other(kind, cause, shown, machine, origin)
        for kind, cause, shown in sorted(
            ((kind, cause, shown) for (kind, cause), shown in found.items()),
            key=lambda each: (IN_ORDER.index(each[0]), each[2][0].line),
        )
    )


def _other(kind: SymptomKind, cause: str, shown: Sequence[Symptom], machine: Machine, origin: LogOrigin) -> Explanation:
    first = shown[0]
    disk = filesystem_of(first, machine)
    said = known_cause(kind, cause, first.subject, has_room=disk is not None)
    about = f": {first.subject}" if first.subject else ""
    elsewhere = [f"The log is from {machine.elsewhere}."] if machine.elsewhere else []
    return Explanation(
        kind=kind,
        what=said.what + about,
        why=(_place(first), *([said.why] if said.why else []), *elsewhere),
        todo=said.todo,
        symptoms=tuple(shown),
        cause=cause,
        service=service_of(first, machine, origin),
        elsewhere=machine.elsewhere,
    )
