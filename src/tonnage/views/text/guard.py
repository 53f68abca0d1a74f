"""What a guard found and did, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.guard import DiskState


def guard_lines(disks: Sequence[DiskState], ballast_bytes: int) -> list[str]:
    """Write one look for a log."""
    lines = [disk.shown for disk in disks]
    return [*lines, f"ballast {format_bytes(ballast_bytes)}"] if ballast_bytes else lines


def guard_form(
    disks: Sequence[DiskState], reclaimed: Sequence[tuple[str, int]], ballast_bytes: int, failure: str
) -> dict[str, object]:
    """Return one look as a JSON-able mapping.

    Args:
        reclaimed: What came free, by mount.
        failure: What is wrong; empty for nothing.
    """
    freed = dict(reclaimed)
    return {
        "filesystems": [
            {
                "mount": disk.mount,
                "available_bytes": disk.available_bytes,
                "reserve_bytes": disk.reserve_bytes,
                "target_bytes": disk.target_bytes,
                "available_inodes": disk.available_inodes,
                "reserve_inodes": disk.reserve_inodes,
                "reclaimed_bytes": freed.get(disk.mount, 0),
            }
            for disk in disks
        ],
        "ballast_bytes": ballast_bytes,
        "failure": failure,
    }
