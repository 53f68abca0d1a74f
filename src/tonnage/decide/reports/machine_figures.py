"""The figures of a machine that an explanation may use, and what they say of a sign in a log. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.deploy.run import Run, StepOutcome
    from tonnage.model.forecast.fit import FilesystemFit
    from tonnage.model.forecast.stack_forecast import StackForecast
    from tonnage.model.inventory import Filesystem
    from tonnage.model.reports.symptom import LogOrigin, Symptom

_NEARLY_FULL = 0.02
_FEW_LEFT = "few inodes left"
_FEW_INODES = 10
_FEW_OF_INODES = 0.001
_LONGEST_NUMBER = 6
"""Of a container among those of its service, with what stands in front of it."""


class Machine(Struct, frozen=True, kw_only=True):
    """The figures that an explanation may use.

    Args:
        filesystems: Measured now; the one with the engine's data root first. Empty where nothing could be measured.
        reserves: The reserve of each, by mount.
        run: The last run of the stack, or the one whose step failed; None when there is none.
        forecast: What building the stack needs; None where that is not known.
        fits: How that fits each filesystem, by the same forecast.
        elsewhere: The machine that the log is from, for people; empty for this one. Of another one nothing is measured.
        services: Names of the stack's services.
        absent: Paths of the log that begin with a directory which is not on this machine: they are of a container.
    """

    filesystems: tuple[Filesystem, ...] = ()
    reserves: tuple[tuple[str, int], ...] = ()
    run: Run | None = None
    forecast: StackForecast | None = None
    fits: tuple[FilesystemFit, ...] = ()
    elsewhere: str = ""
    services: tuple[str, ...] = ()
    absent: frozenset[str] = frozenset()


def failed_step(run: Run | None) -> StepOutcome | None:
    """Return the first step of a run that failed and was measured; None for none."""
    if run is None:
        return None
    return next((step for step in run.steps if step.outcome is Outcome.FAILED and step.measured), None)


def service_of(symptom: Symptom, machine: Machine, origin: LogOrigin) -> str:
    """Return the service that a sign is about; empty where the log does not tell.

    A stage of a Dockerfile stands where a service stands: a name counts where the stack has it, or the log calls it a
    service.
    """
    sure = {_without_number(each, machine.services) for each in origin.services}
    if symptom.service:
        named = _without_number(symptom.service, machine.services)
        if named in sure or named in machine.services or named in origin.targets:
            return named
    return next(iter(sure)) if len(sure) == 1 else ""


def _without_number(name: str, services: Sequence[str]) -> str:
    """Return the service of a container such as ``shop-web-1``, or ``shop_web_1`` of Compose 1."""
    if name in services:
        return name
    begin, _, number = name.rpartition("-" if "-" in name[-_LONGEST_NUMBER:] else "_")
    if not begin or not number.isdecimal():
        return name
    return max(
        (each for each in services if begin == each or begin.endswith((f"-{each}", f"_{each}"))), key=len, default=begin
    )


def filesystem_of(symptom: Symptom, machine: Machine) -> Filesystem | None:
    """Return the filesystem that a symptom is about; the engine's where the line names no path of this machine."""
    if not machine.filesystems:
        return None
    if symptom.in_build or not symptom.path:
        return machine.filesystems[0]
    if symptom.path in machine.absent:
        return machine.filesystems[0]
    holding = [each for each in machine.filesystems if _under(symptom.path, each.mount)]
    return max(holding, key=lambda each: len(each.mount), default=machine.filesystems[0])


def is_named(symptom: Symptom, machine: Machine, disk: Filesystem) -> bool:
    """Return whether a line names a path of a filesystem of its own: that of the rest of the machine is any path's."""
    if symptom.in_build or not symptom.path or symptom.path in machine.absent:
        return False
    return disk.mount != "/" and _under(symptom.path, disk.mount)


def _under(path: str, mount: str) -> bool:
    return path == mount or path.startswith(mount.rstrip("/") + "/")


def is_tight(machine: Machine, disk: Filesystem | None) -> bool:
    """Return whether a disk is nearly full, or ran full in the run that a log belongs to."""
    if disk is None:
        return False
    step = failed_step(machine.run)
    return (step is not None and ran_dry(step, disk)) or is_nearly_full(disk) or is_without_inodes(disk)


def is_without_inodes(disk: Filesystem) -> bool:
    """Return whether no build can make its files any more."""
    return disk.inodes > 0 and disk.available_inodes <= max(_FEW_INODES, _FEW_OF_INODES * disk.inodes)


def ran_dry(step: StepOutcome, disk: Filesystem) -> bool:
    """Return whether a disk had hardly a byte left while a step ran."""
    return any(
        seen.mount == disk.mount and seen.lowest_bytes <= _NEARLY_FULL * disk.size_bytes for seen in step.measured
    )


def ran_out_of_inodes(run: Run | None) -> bool:
    """Return whether a run was ended because a filesystem had few inodes left."""
    if run is None:
        return False
    return any(_FEW_LEFT in told for told in (run.message, *(each.message for each in run.steps)))


def is_nearly_full(disk: Filesystem) -> bool:
    """Return whether a disk has hardly a byte left now. What the kernel shows as files (/proc) has no bytes at all."""
    return disk.size_bytes > 0 and disk.available_bytes <= _NEARLY_FULL * disk.size_bytes
