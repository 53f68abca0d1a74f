"""A disk of a chosen size: a sparse file with an ext4 filesystem, mounted through a loop device."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.adapters.host.mount_table import is_within, read_mounts
from tonnage.adapters.private_engine.programs import command, succeeds
from tonnage.errors import CannotFitError, UsageError
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from tonnage.adapters.private_engine.layout import Layout

SMALLEST_BYTES = 64 * 10**6  # room for an ext4 with a journal, and for the engine's own databases
_UNMOUNT_TRIES = 40
_UNMOUNT_PAUSE_S = 0.25


def check_size(root: Path, size_bytes: int) -> None:
    """Check that a disk of this size can be made.

    Raises:
        UsageError: The disk would be too small for an engine.
        CannotFitError: The filesystem of ``root`` has not that much available: the sparse file could not fill up.
    """
    if size_bytes < SMALLEST_BYTES:
        raise UsageError(
            f"a disk of {format_bytes(size_bytes)} is too small for an engine",
            todo=f"Choose at least {format_bytes(SMALLEST_BYTES)}.",
        )
    found = os.statvfs(root)
    available_bytes = found.f_bavail * found.f_frsize
    if available_bytes < size_bytes:
        raise CannotFitError(
            f"a disk of {format_bytes(size_bytes)} cannot be made in {root}",
            why=f"Only {format_bytes(available_bytes)} are available there, and the disk may fill up.",
            todo="Choose a smaller disk, or another place with TONNAGE_REHEARSE_DIR.",
        )


def mount_disk(layout: Layout, size_bytes: int) -> None:
    """Make the disk and mount it.

    Raises:
        StepFailedError: A program failed.
    """
    with layout.disk.open("xb") as file:
        file.truncate(size_bytes)
    failing = f"The disk of {format_bytes(size_bytes)} cannot be made"
    command(["mkfs.ext4", "-q", "-F", str(layout.disk)], failing=failing)
    layout.mount.mkdir()
    # What is deleted inside goes back to the disk outside, and no thread writes inode tables that nobody needs.
    options = "loop,discard,noinit_itable"
    command(["mount", "-o", options, str(layout.disk), str(layout.mount)], failing=failing)


def unmount_disk(layout: Layout) -> None:
    """Unmount everything below the engine's directory and detach the loop device, as far as they are there."""
    for tried in range(_UNMOUNT_TRIES):
        mounts = mounts_below(layout.directory)
        if not mounts:
            break
        if tried:
            time.sleep(_UNMOUNT_PAUSE_S)
        for mount in reversed(mounts):
            succeeds(["umount", mount])
    for mount in reversed(mounts_below(layout.directory)):
        succeeds(["umount", "-l", mount])
    # A process that looks at all disks, and an engine that is just starting, may hold the device for a moment.
    for tried in range(_UNMOUNT_TRIES):
        devices = loop_devices(layout.disk)
        if not devices:
            break
        if tried:
            time.sleep(_UNMOUNT_PAUSE_S)
        for device in devices:
            succeeds(["losetup", "-d", device])


def mounts_below(directory: Path) -> list[str]:
    """Return the mounts at or below a directory, in the order in which they were made."""
    return [mount.path for mount in read_mounts() if is_within(mount.path, str(directory))]


def loop_devices(disk: Path) -> list[str]:
    """Return the loop devices that stand on a file, also on one that was deleted."""
    devices = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            file = backing.read_text(encoding="utf-8").strip()
        except OSError:  # detached while we look
            continue
        if file.removesuffix(" (deleted)") == str(disk):
            devices.append(f"/dev/{backing.parent.parent.name}")
    return devices


def goes_by_itself(device: str) -> bool:
    """Return whether the kernel detaches a loop device as soon as its last user, in whatever namespace, is gone."""
    try:
        return Path("/sys/block", Path(device).name, "loop/autoclear").read_text(encoding="ascii").strip() == "1"
    except OSError:  # it has gone
        return True
