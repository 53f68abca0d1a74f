"""What a guard without a run sees of a disk."""

from __future__ import annotations

from msgspec import Struct

from tonnage.units import format_bytes

NEAR_TENTHS = 1
"""So many tenths of the reserve above it a disk comes near it."""
FULL_BYTES = 16_000_000
"""With less than that available the disk counts as full."""


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
