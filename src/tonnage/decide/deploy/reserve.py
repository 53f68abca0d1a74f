"""The reserve of one filesystem: how many available bytes must remain on it at every moment.

Decides only where the reserve is. Whether something may be done above it is decided elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from tonnage.model.inventory import Filesystem

LEAST_DEFAULT_BYTES = 10**9
MOST_DEFAULT_BYTES = 10 * 10**9
DEFAULT_DIVISOR = 20


def reserve_bytes(filesystem: Filesystem, keep_free_bytes: int | None) -> int:
    """Return the reserve of a filesystem.

    Args:
        keep_free_bytes: The reserve as the user set it; None for the default: 5 % of the filesystem's size, at least
            1 GB and at most 10 GB.

    Returns:
        Bytes that must remain available.

    Raises:
        UsageError: The user's line is negative, or so high that no byte of the filesystem could be used.
    """
    if keep_free_bytes is None:
        share_bytes = filesystem.size_bytes // DEFAULT_DIVISOR
        return min(max(share_bytes, LEAST_DEFAULT_BYTES), MOST_DEFAULT_BYTES)
    if keep_free_bytes < 0:
        raise UsageError(
            f"keep-free is {keep_free_bytes} B, which is less than nothing",
            todo="Write a size such as 2GB, or 0B for no reserve.",
        )
    if keep_free_bytes >= filesystem.size_bytes:
        raise UsageError(
            f"keep-free is {format_bytes(keep_free_bytes)}, and the whole filesystem {filesystem.mount} has no more "
            f"than {format_bytes(filesystem.size_bytes)}",
            why="With that reserve not one byte of the filesystem could be used.",
            todo="Set x-tonnage.keep-free or --keep-free to less than the filesystem's size.",
        )
    return keep_free_bytes
