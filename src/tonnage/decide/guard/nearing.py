"""What a guard without a run finds of a disk, and what is to be done about it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.inventory import Filesystem

NEAR_TENTHS = 1
"""So many tenths of the reserve above it a disk comes near it."""
TARGET_TENTHS = 15
"""So many tenths of the reserve are to be available after a reclaim."""
FULL_BYTES = 16_000_000
"""With less than that available the disk counts as full."""
_INODE_SHARE = 100
_MOST_INODES = 20_000


class DiskState(Struct, frozen=True, kw_only=True):
    """One filesystem as a guard sees it.

    Args:
        reserve_bytes: What must remain available.
        target_bytes: What is reclaimed up to.
        reserve_inodes: The same for inodes; 0 where the filesystem does not count them.
    """

    mount: str
    available_bytes: int
    reserve_bytes: int
    target_bytes: int
    available_inodes: int = 0
    reserve_inodes: int = 0

    @property
    def is_below(self) -> bool:
        """Whether less than the reserve is available."""
        return self.available_bytes < self.reserve_bytes

    @property
    def is_near(self) -> bool:
        """Whether the reserve is near, or less than it is available."""
        return self.available_bytes < self.reserve_bytes + self.reserve_bytes * NEAR_TENTHS // 10

    @property
    def is_full(self) -> bool:
        """Whether nothing can be written any more, or soon."""
        return self.available_bytes < FULL_BYTES

    @property
    def lacks_inodes(self) -> bool:
        """Whether there are fewer inodes than must remain."""
        return self.available_inodes < self.reserve_inodes

    @property
    def shown(self) -> str:
        """What is there, as a line."""
        text = (
            f"{self.mount}: {format_bytes(self.available_bytes)} available, reserve {format_bytes(self.reserve_bytes)}"
        )
        inodes = f", {self.available_inodes} inodes available, reserve {self.reserve_inodes}"
        return text + (inodes if self.lacks_inodes else "")


def inode_reserve(disk: Filesystem) -> int:
    """Return how many inodes must remain: a hundredth of them and 20,000 at most; 0 where nobody counts them."""
    return min(disk.inodes // _INODE_SHARE, _MOST_INODES)


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
                reserve_inodes=inode_reserve(disk),
            )
        )
    return tuple(found)
