"""Guards the disks of an engine without a run: looks, reclaims where the reserve comes near, and warns.

What is reclaimed is what ``tonnage reclaim --until`` would, no more, and only where that was allowed; what cannot
be had again stays, logs aside. A guard that cannot ask the engine looks at its data root and reclaims what of files
may go.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.deploy.expectations import reserves_of
from tonnage.decide.guard.disk_check import states
from tonnage.errors import (
    CannotReclaimError,
    EngineLacksError,
    EngineUnreachableError,
    InterruptedRunError,
    LockHeldError,
    TonnageError,
)
from tonnage.flows.requests import ReclaimRequest
from tonnage.flows.stack import read_if_there
from tonnage.model.inventory import Filesystem
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.flows.ports import ReclaimPorts
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState
    from tonnage.model.guard import DiskState
    from tonnage.model.reclaim.outcome import ReclaimReport

_WARN_AGAIN_S = 3600.0
"""What is still so is told again after that."""
_CALM_S = 600.0
"""What was well for so long is told anew when it is not."""
_ROLES = frozenset({"data-root", "containerd"})


class GuardSettings(Struct, frozen=True, kw_only=True):
    """What a guard does.

    Args:
        until_bytes: What is available after a reclaim; None for one and a half times the reserve.
        yes: Remove what may go; else it is only told.
        ballast: Keep a file that is given back when the disk is full.
    """

    until_bytes: int | None = None
    yes: bool = False
    ballast: bool = True


class GuardLook(Struct, frozen=True, kw_only=True):
    """What one look found and did.

    Args:
        disks: As they are after it.
        reclaimed: What was removed, by mount.
        ballast_bytes: What is held to be given back.
        failure: Why a disk is still at its reserve; None where none is.
    """

    disks: tuple[DiskState, ...]
    reclaimed: tuple[tuple[str, int], ...] = ()
    ballast_bytes: int = 0
    failure: TonnageError | None = None


class Guard:
    """Guards the disks of one engine.

    Args:
        tell: Is told what was found and done.
        warn: Is told of a failure that is new, or has lasted long.
    """

    def __init__(
        self,
        ports: ReclaimPorts,
        flags: StackFlags,
        settings: GuardSettings,
        *,
        tell: Callable[[str], None],
        warn: Callable[[GuardLook], None],
    ) -> None:
        self._ports = ports
        self._flags = flags
        self._settings = settings
        self._tell = tell
        self._warn = warn
        self._warned: dict[str, float] = {}
        self._fine_since_s = 0.0
        self._unreachable = False

    def look(self) -> GuardLook:
        """Look once, and do what is to be done.

        Returns:
            What was found and done.

        Raises:
            UsageError: What the user wrote cannot be used.
            EngineLacksError: The engine is on a machine whose disk cannot be read from here.
            InterruptedRunError: A signal ended it.
        """
        wanted = read_if_there(self._ports, self._flags)
        data_root, found = self._found(wanted)
        ballast_bytes, failure = 0, None
        if data_root and any(each.is_full for each in found):
            self._give_back(data_root)
            _, found = self._found(wanted)
        reclaimed = []
        for place, disk in enumerate(found):
            if disk.is_near:
                freed_bytes, error = self._reclaim(disk, "" if place == 0 else disk.mount)
                failure = failure or error
                reclaimed += [(disk.mount, freed_bytes)] if freed_bytes else []
            if disk.lacks_inodes:
                failure = failure or _few_inodes(disk)
        if reclaimed:
            _, found = self._found(wanted)
        if data_root and self._settings.ballast and self._settings.yes and not any(each.is_near for each in found):
            ballast_bytes = self._ports.machine.make_ballast(data_root, max(each.target_bytes for each in found))
        look = GuardLook(disks=found, reclaimed=tuple(reclaimed), ballast_bytes=ballast_bytes, failure=failure)
        self._judge(look)
        return look

    def _found(self, wanted: DesiredState) -> tuple[str, tuple[DiskState, ...]]:
        """Return the data root where it is on this machine, and the disks of the engine."""
        try:
            with self._ports.engines.facts(self._flags.host) as facts:
                engine = facts.engine()
                data_root = engine.data_root if engine.endpoint.startswith("unix://") else ""
                disks = tuple(each for each in facts.filesystems() if _ROLES & set(each.roles))
                self._unreachable = False
        except EngineUnreachableError as error:
            data_root = self._ports.engines.usual_data_root(self._flags.host)
            if not data_root:
                raise
            if not self._unreachable:
                self._tell(f"the engine does not answer, so only files of this machine are considered: {error.what}")
                self._unreachable = True
            space = self._ports.machine.space(data_root)
            disks = (
                Filesystem(
                    mount=space.mount,
                    roles=("data-root",),
                    size_bytes=space.size_bytes,
                    available_bytes=space.available_bytes,
                ),
            )
        if not disks:
            raise EngineLacksError("no disk of this engine can be read from here")
        reserves = reserves_of(disks, wanted.policy.keep_free_bytes)
        return data_root, states(disks, reserves, self._settings.until_bytes)

    def _give_back(self, data_root: str) -> None:
        with contextlib.suppress(CannotReclaimError):
            if given_bytes := self._ports.machine.drop_ballast(data_root):
                self._tell(f"the disk is full: {format_bytes(given_bytes)} of ballast were given back")

    def _reclaim(self, disk: DiskState, mount: str) -> tuple[int, TonnageError | None]:
        """Reclaim on a disk; ``mount`` is empty for that of the engine. Return what came free, and what is wrong."""
        if mount and self._flags.host.startswith("ssh://"):
            return 0, _still_below(disk) if disk.is_below else None
        from tonnage.flows.reclaim import reclaim  # noqa: PLC0415 - most looks need none of it

        request = ReclaimRequest(until_bytes=disk.target_bytes, yes=self._settings.yes, mount=mount, unattended=True)
        try:
            report = reclaim(self._ports, self._flags, request)
        except InterruptedRunError:
            raise
        except LockHeldError as error:
            self._tell(f"{disk.mount} comes near its reserve; another run reclaims already: {error.what}")
            return 0, None
        except TonnageError as error:
            return 0, error if disk.is_below else None
        freed_bytes = _freed(report)
        if freed_bytes:
            self._tell(f"{disk.mount} came near its reserve: {format_bytes(freed_bytes)} were reclaimed")
        elif not self._settings.yes and report.choice.chosen:
            may_bytes = format_bytes(report.choice.freed_bytes)
            self._tell(
                f"{disk.mount} comes near its reserve: {may_bytes} can be removed; --yes lets the guard remove them"
            )
        still_below = disk.available_bytes + freed_bytes < disk.reserve_bytes
        return freed_bytes, (report.failure or _still_below(disk)) if still_below else None

    def _judge(self, look: GuardLook) -> None:
        """Warn of what is new, or has lasted for an hour."""
        now_s = self._ports.clock.monotonic()
        if look.failure is None:
            # A disk that goes up and down at its reserve is one trouble, not one at each look.
            self._fine_since_s = self._fine_since_s or now_s
            if now_s - self._fine_since_s >= _CALM_S:
                self._warned.clear()
            return
        self._fine_since_s = 0.0
        since_s = self._warned.get(look.failure.what)
        if since_s is None or now_s - since_s >= _WARN_AGAIN_S:
            self._warned[look.failure.what] = now_s
            self._warn(look)


def _freed(report: ReclaimReport) -> int:
    if report.done is None:
        return 0
    return max(0, sum(each.freed_bytes for each in report.done.removals if each.error is None))


def _still_below(disk: DiskState) -> CannotReclaimError:
    return CannotReclaimError(
        f"{disk.mount} is below its reserve",
        why=f"{format_bytes(disk.available_bytes)} are available and {format_bytes(disk.reserve_bytes)} must remain.",
        todo="See what can be removed:\n  tonnage reclaim",
    )


def _few_inodes(disk: DiskState) -> CannotReclaimError:
    return CannotReclaimError(
        f"{disk.mount} has few inodes left",
        why=f"{disk.available_inodes} are available and {disk.reserve_inodes} must remain. Every file takes one.",
        todo=f"Find where the files are:\n  du --inodes -x --max-depth=3 {disk.mount} | sort -n | tail",
    )
