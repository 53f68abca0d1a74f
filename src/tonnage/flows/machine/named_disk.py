"""What a disk that is only named holds before anything is built on it, and what of its size is left to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tonnage.model.forecast.estimate import ServiceForecast

_BLOCK_BYTES = 4_096
_INODES_PART = 64
_KEPT_PART = 20
# Blocks up to which a filesystem gets a journal of so many blocks.
_JOURNALS = (
    (32_768, 1_024), (262_144, 4_096), (524_288, 8_192), (4_194_304, 16_384), (8_388_608, 32_768),
    (16_777_216, 65_536), (33_554_432, 131_072),
)  # fmt: skip
_LARGEST_JOURNAL = 262_144


def available_on_ext4(disk_bytes: int) -> int:
    """Return what is available on a new ext4 of a disk, as mkfs makes it: without inodes, journal and root's part.

    Source: mke2fs 1.47 of Debian 12, sizes of 1.3 to 100 GB; an inode of 256 bytes for each 16 KiB, 5 % for root.
    """
    blocks = disk_bytes // _BLOCK_BYTES
    journal = next((blocks_of for most, blocks_of in _JOURNALS if blocks < most), _LARGEST_JOURNAL)
    return max(0, (blocks - blocks // _INODES_PART - blocks // _KEPT_PART - journal) * _BLOCK_BYTES)


def notes_of_disk(disk_bytes: int, forecasts: Iterable[ServiceForecast]) -> tuple[str, ...]:
    """Return what the verdict for a disk of a size takes for granted.

    Args:
        forecasts: Of the services; layers that an engine has are marked as present.
    """
    there = {
        holding.key: holding.image.likely_bytes
        for each in forecasts
        for step in each.steps
        for holding in step.holdings
        if holding.present and holding.in_image
    }
    size, left = format_bytes(disk_bytes), format_bytes(available_on_ext4(disk_bytes))
    notes = [
        f"--disk: all of {size} are taken as available; a whole disk of {size} has {left} with ext4 as mkfs makes it"
    ]
    if any(there.values()):
        notes.append(
            f"--disk: {format_bytes(sum(there.values()))} of layers that the engine here has are taken as there;"
            " for a machine without them: --engine docker-28"
        )
    return tuple(notes)
