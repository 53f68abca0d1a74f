"""What a guard without a run finds of a disk, and what is to be done about it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.guard import DiskState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.inventory import Filesystem

TARGET_TENTHS = 15
"""So many tenths of the reserve are to be available after a reclaim."""


def guarded_inodes(disks: Mapping[str, Filesystem]) -> dict[str, int]:
    """Return how many inodes must remain while a run writes, by mount.

    A filesystem that has fewer already is left alone: nothing that a run does not do would be fixed by stopping it.
    """
    return {mount: disk.reserve_inodes for mount, disk in disks.items() if disk.available_inodes >= disk.reserve_inodes}


def states(
    filesystems: Sequence[Filesystem], reserves: Mapping[str, int], target_bytes: int | None = None
) -> tuple[DiskState, ...]:
    """Return what a guard sees of filesystems.

    Args:
        reserves: The reserve of each in bytes, by mount.
        target_bytes: What is to be available after a reclaim; None for one and a half times the reserve.
    """
    found = []
    for disk in filesystems:
        reserve_bytes = reserves[disk.mount]
        wanted_bytes = reserve_bytes * TARGET_TENTHS // 10 if target_bytes is None else target_bytes
        found.append(
            DiskState(
                mount=disk.mount,
                available_bytes=disk.available_bytes,
                reserve_bytes=reserve_bytes,
                target_bytes=min(max(wanted_bytes, reserve_bytes), disk.size_bytes),
                available_inodes=disk.available_inodes,
                reserve_inodes=disk.reserve_inodes,
            )
        )
    return tuple(found)
