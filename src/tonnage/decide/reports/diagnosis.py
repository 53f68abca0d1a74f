"""Turns what a log shows into what happened, why, and what to do, with the figures of this machine. Pure.

A sign that may have several causes is put down to a full disk only when the log says so elsewhere or the figures
support it. What is not known is said not to be known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.deploy.run import Outcome
from tonnage.model.reports.symptom import FULL_DISK_FOR_SURE, FULL_DISK_PERHAPS, Explanation, SymptomKind
from tonnage.units import format_bytes, format_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.deploy.run import Run, StepOutcome
    from tonnage.model.forecast.estimate import StackForecast
    from tonnage.model.forecast.fit import FilesystemFit
    from tonnage.model.inventory import Filesystem
    from tonnage.model.reports.symptom import Symptom

_NEARLY_FULL = 0.02


class Machine(Struct, frozen=True, kw_only=True):
    """The figures that an explanation may use.

    Args:
        filesystems: Measured now; the one with the engine's data root first. Empty where nothing could be measured.
        reserves: The reserve of each, by mount.
        run: The last run of the stack, or the one whose step failed; None when there is none.
        forecast: What building the stack needs; None where that is not known.
        fits: How that fits each filesystem, by the same forecast.
    """

    filesystems: tuple[Filesystem, ...] = ()
    reserves: tuple[tuple[str, int], ...] = ()
    run: Run | None = None
    forecast: StackForecast | None = None
    fits: tuple[FilesystemFit, ...] = ()


def explain(symptoms: Sequence[Symptom], machine: Machine) -> tuple[Explanation, ...]:
    """Explain what a log shows."""
    full = [each for each in symptoms if each.kind in FULL_DISK_FOR_SURE]
    perhaps = [each for each in symptoms if each.kind in FULL_DISK_PERHAPS]
    if full or any(_tight(machine, _filesystem(each, machine)) for each in perhaps):
        shown = [*full, *perhaps]
        first = _full_disk(shown, machine)
        explained = set(map(id, shown))
        # What a full disk breaks is no cause of its own.
        followed = {SymptomKind.BUILD, SymptomKind.PIP}
        rest = [each for each in symptoms if id(each) not in explained and each.kind not in followed]
        return (first, *_others(rest))
    return _others(symptoms)


def _full_disk(shown: Sequence[Symptom], machine: Machine) -> Explanation:
    first = shown[0]
    disk = _filesystem(first, machine)
    inodes = disk is not None and disk.inodes > 0 and disk.available_inodes == 0
    where = disk.mount if disk else "the disk"
    who = first.told_by or "a program"
    wrote = f" {first.path}" if first.path else ""
    what = f"{where} {'has no inodes left' if inodes else 'was full'}: {who} could not write{wrote}"
    why = [_place(first)]
    if first.kind in FULL_DISK_PERHAPS:
        why.append(_what_it_hides(first))
    step = _failed_step(machine.run)
    if step is not None and disk is not None and not inodes and not _ran_dry(step, disk):
        what = f"{who} was told that there is no space, but {where} had room"
        why.append("So it was a place of a size of its own: a tmpfs, a mount of the build, or a quota.")
    missing = first.named_bytes if first.kind in FULL_DISK_FOR_SURE else None
    if missing is not None:
        why.append(f"The log names {format_bytes(missing)}.")
    if step is not None and machine.run is not None:
        why.append(_measured(step, machine.run))
    if disk is not None:
        why.append(_now(disk, dict(machine.reserves).get(disk.mount), inodes=inodes))
    lacking, sentences = _what_fits(machine, disk)
    why += sentences
    if missing is None and lacking is None and step is None:
        why.append("How much was missing is told neither by the log nor by an earlier run.")
    return Explanation(
        kind=SymptomKind.DISK_FULL,
        what=what,
        why=tuple(why),
        todo=_INODES if inodes else _room(machine, disk, lacking),
        symptoms=tuple(shown),
        mount=disk.mount if disk else "",
        missing_bytes=missing,
        forecast_missing_bytes=lacking,
    )


_INODES = (
    "Every file takes an inode, whatever its size. Find where the files are, and remove what can be got back:\n"
    "  tonnage reclaim\n"
    "A filesystem gets more of them only when it is made: mkfs.ext4 -N, or xfs."
)


def _room(machine: Machine, disk: Filesystem | None, lacking: int | None) -> str:
    lines = []
    if lacking and disk:
        lines += [
            "Free what is missing, cheapest to get back first:",
            f"  tonnage reclaim --free {_for_typing(lacking)}",
        ]
    elif machine.forecast is None:
        lines += ["See what the stack needs before anything is built:", "  tonnage forecast"]
    lines += ["Build and deploy one service at a time, stopped before the disk is full:", "  tonnage deploy"]
    return "\n".join(lines)


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
        SymptomKind.LOW_DISK: "The runner warned of it.",
        SymptomKind.IMAGE_MISSING: "An image that could not be stored is not found afterwards.",
    }[symptom.kind]


def _failed_step(run: Run | None) -> StepOutcome | None:
    if run is None:
        return None
    return next((step for step in run.steps if step.outcome is Outcome.FAILED and step.measured), None)


def _measured(step: StepOutcome, run: Run) -> str:
    seen = step.measured[0]
    return (
        f"Run {run.run_id}, step {step.name}: {format_bytes(seen.before_bytes)} were available on {seen.mount} when it"
        f" began, {format_bytes(seen.lowest_bytes)} at the lowest; it failed after {format_seconds(step.seconds)},"
        f" having taken {format_bytes(max(0, seen.before_bytes - seen.lowest_bytes))} (measured)."
    )


def _now(disk: Filesystem, line: int | None, *, inodes: bool) -> str:
    mark = f", reserve {format_bytes(line)}" if line is not None else ""
    counted = f", {disk.available_inodes} of {disk.inodes} inodes available" if disk.inodes else ""
    said = f"Now: {format_bytes(disk.available_bytes)} available of {format_bytes(disk.size_bytes)}{mark}{counted}."
    if not inodes and not _nearly_full(disk):
        said += " It has room again: a failed step gives back what it wrote, or the log is from elsewhere."
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


def _filesystem(symptom: Symptom, machine: Machine) -> Filesystem | None:
    """Return the filesystem that a symptom is about; the engine's where the line names no path of this machine."""
    if not machine.filesystems:
        return None
    if symptom.in_build or not symptom.path:
        return machine.filesystems[0]
    holding = [each for each in machine.filesystems if _under(symptom.path, each.mount)]
    return max(holding, key=lambda each: len(each.mount), default=machine.filesystems[0])


def _under(path: str, mount: str) -> bool:
    return path == mount or path.startswith(mount.rstrip("/") + "/")


def _tight(machine: Machine, disk: Filesystem | None) -> bool:
    if disk is None:
        return False
    step = _failed_step(machine.run)
    ran_dry = step is not None and _ran_dry(step, disk)
    return ran_dry or _nearly_full(disk) or (disk.inodes > 0 and disk.available_inodes == 0)


def _ran_dry(step: StepOutcome, disk: Filesystem) -> bool:
    return any(
        seen.mount == disk.mount and seen.lowest_bytes <= _NEARLY_FULL * disk.size_bytes for seen in step.measured
    )


def _nearly_full(disk: Filesystem) -> bool:
    return disk.available_bytes <= _NEARLY_FULL * disk.size_bytes


def _others(symptoms: Sequence[Symptom]) -> tuple[Explanation, ...]:
    """Explain what is not a full disk: each kind once, the first line of it."""
    found = []
    for kind, (what, why, todo) in _KNOWN.items():
        shown = tuple(each for each in symptoms if each.kind is kind)
        if shown:
            about = f": {shown[0].subject}" if shown[0].subject else ""
            sentences = (_place(shown[0]), *([why] if why else []))
            found.append(Explanation(kind=kind, what=what + about, why=sentences, todo=todo, symptoms=shown))
    return tuple(found)


_LIMITS = (
    "For /dev/shm set shm_size of the service or of its build. See the other limits:\n"
    "  sysctl fs.inotify.max_user_watches fs.inotify.max_user_instances kernel.shmmni kernel.sem"
)
_KNOWN: dict[SymptomKind, tuple[str, str, str]] = {
    SymptomKind.QUOTA: (
        "the user's quota is used up",
        "The filesystem may have room; this user may not take more of it.",
        "See it, and ask for more or remove files:\n  quota -s",
    ),
    SymptomKind.KERNEL_LIMIT: (
        "a limit of the kernel was reached, not the disk",
        "The kernel uses the same words for file watchers, shared memory, semaphores and control groups.",
        _LIMITS,
    ),
    SymptomKind.MEMORY: (
        "a program was killed, most likely for want of memory",
        "The disk has nothing to do with it: exit code 137 is SIGKILL, which the kernel sends when memory runs out.",
        "Look for it, and give the machine memory or swap:\n  dmesg | grep -i 'killed process'",
    ),
    SymptomKind.SIGBUS: (
        "a program was ended by SIGBUS",
        "A mapped file without room, a /dev/shm too small, or a file cut short. The disk is not nearly full now.",
        "See what the build needs:\n  tonnage forecast",
    ),
    SymptomKind.LAYER: (
        "an image's layer could not be unpacked",
        "The disk is not nearly full now; the rest of the line names the cause.",
        "Pull it again; when it fails again the layer is damaged, or the engine may not write its data root.",
    ),
    SymptomKind.RUNNER_LOST: (
        "the runner stopped",
        "It ran out of memory or disk, or was taken away. The disk of this machine is not nearly full now.",
        "Watch the disk during the job:\n  tonnage watch",
    ),
    SymptomKind.LOW_DISK: (
        "the runner warned that its disk is nearly full",
        "",
        "Free what is needed and not more:\n  tonnage reclaim",
    ),
    SymptomKind.ACCESS: (
        "the registry refused",
        "The name is wrong, the login is missing, or too many pulls were made.",
        "Log in:\n  docker login",
    ),
    SymptomKind.IMAGE_MISSING: (
        "an image is not there",
        "The disk is not nearly full now; it may have been pruned, or its name is wrong.",
        "Build or pull it again:\n  tonnage build",
    ),
    SymptomKind.PIP: (
        "pip could not install",
        "It is not for want of disk: the log has no sign of that.",
        "Resolve for the image's Python without building:\n  tonnage forecast",
    ),
    SymptomKind.BUILD: (
        "the build of an image failed",
        "It is not for want of disk: the log has no sign of that. The lines above it name the cause.",
        "",
    ),
}
