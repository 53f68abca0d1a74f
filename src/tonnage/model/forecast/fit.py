"""How a forecast stack fits into the filesystems that it is written to."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.forecast.estimate import Estimate  # noqa: TC001 - plans that hold it are read from files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.stack_forecast import StackForecast


class FitVerdict(StrEnum):
    """How a stack fits."""

    FITS = "fits"
    ONE_AT_A_TIME = "fits only one at a time"
    DOUBTFUL = "may not fit"
    NOT = "does not fit"


class Room(Struct, frozen=True, kw_only=True):
    """One filesystem to fit into.

    Args:
        mount: Where it is mounted, or what it is called.
        roles: What lies on it.
        available_bytes: What can be written.
        reserve_bytes: What must remain.
        size_bytes: All its bytes.
    """

    mount: str
    roles: tuple[str, ...]
    available_bytes: int
    reserve_bytes: int
    size_bytes: int

    @property
    def headroom_bytes(self) -> int:
        """What can be written without crossing the reserve."""
        return self.available_bytes - self.reserve_bytes


class DeployNeed(Struct, frozen=True, kw_only=True):
    """What the plan of a deploy needs of the engine's filesystem: one service after the other, with cleanup between.

    Args:
        purpose: What the plan is for: ``deploy`` or ``build``.
        mount: The filesystem.
        peak: Bytes on top of what is there at the worst moment, before anything is reclaimed for it.
        kept: Bytes that stay when it is done; less than nothing where it gives back more than it brings.
        step: The step of the worst moment; empty where nothing is to be done.
        freed_bytes: What the plan reclaims on the engine before the steps that need it.
        missing_bytes: How much is missing, as the plan's refusal says it; 0 where it is not refused.
        cleans: Whether build cache is removed after each service.
        keep_versions: How many good versions before the one that runs keep their images.
    """

    purpose: str
    mount: str
    peak: Estimate
    kept: Estimate
    step: str = ""
    freed_bytes: int = 0
    missing_bytes: int = 0
    cleans: bool = False
    keep_versions: int = 0


class Overlap(Struct, frozen=True, kw_only=True):
    """What it saves to make several images at once, by the times of earlier runs.

    Args:
        at_once: How many at most.
        seconds: The shortest time that was found.
        bound_seconds: None is shorter than this.
        in_turn_seconds: What one after the other takes.
    """

    at_once: int
    seconds: int
    bound_seconds: int
    in_turn_seconds: int


class Remedy(Struct, frozen=True, kw_only=True):
    """Something that would make a stack fit, or help.

    Args:
        kind: ``cleaning``, ``no-cache``, ``torch-cpu``, ``keep-versions``, ``share``, ``installer``,
            ``temporary``, ``reserve`` or ``together``.
        what: For people.
        todo: Lines to write or to type, and what must be known of them.
        saves_bytes: By how much less is needed at the worst moment, by the likely figures.
        missing_bytes: How much is missing then; 0 where it fits.
        checked: Whether that was forecast again; else it follows from the first forecast alone.
    """

    kind: str
    what: str
    todo: tuple[str, ...] = ()
    saves_bytes: int = 0
    missing_bytes: int = 0
    checked: bool = True


class FilesystemFit(Struct, frozen=True, kw_only=True):
    """How a stack fits one filesystem.

    Args:
        missing_bytes: How much is missing for the next better answer; 0 where it fits.
        one_after_the_other: The peak when services are built one after the other.
        all_at_once: The peak when they are built at the same time.
    """

    room: Room
    fit: FitVerdict
    missing_bytes: int
    kept: Estimate
    one_after_the_other: Estimate
    all_at_once: Estimate

    @property
    def holds(self) -> bool:
        """Whether it fits, at least one at a time."""
        return self.fit in {FitVerdict.FITS, FitVerdict.ONE_AT_A_TIME}


def worst(fittings: Sequence[FilesystemFit]) -> FilesystemFit | None:
    """Return the filesystem that decides; None when nothing is written."""
    order = list(FitVerdict)
    return max(fittings, key=lambda each: (order.index(each.fit), each.missing_bytes), default=None)


class ForecastAnswer(Struct, frozen=True, kw_only=True):
    """The forecast of a stack.

    Args:
        fits: How that fits, for each filesystem that would be written.
        disk_known: Whether there was a disk to compare with.
        deploy: What the plan of a deploy needs of the engine's filesystem, which is judged by that; None where it is
            not known.
        remedies: What would make it fit, what saves most first; none where it fits.
        notes: What of the engine could not be seen and matters.
    """

    stack: StackForecast
    fits: tuple[FilesystemFit, ...]
    disk_known: bool
    deploy: DeployNeed | None = None
    remedies: tuple[Remedy, ...] = ()
    notes: tuple[str, ...] = ()
