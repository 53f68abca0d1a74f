"""Files of image layers whose content is on the disk more than once, and whose blocks the filesystem can share."""

from __future__ import annotations

from msgspec import Struct


class DuplicateBlocks(Struct, frozen=True, kw_only=True):
    """What was found below one engine's layers. Counted.

    Args:
        place: The directory that the layers lie in.
        filesystem: The kind of filesystem: xfs, btrfs.
        size_bytes: What comes free when each content is stored once.
        groups: Paths of files with the same content that share no block yet; the first keeps its blocks.
        obstacle: Why nothing can be shared, as a sentence without its end; empty where something can.
    """

    place: str
    filesystem: str = ""
    size_bytes: int = 0
    groups: tuple[tuple[str, ...], ...] = ()
    obstacle: str = ""

    @property
    def copies(self) -> int:
        """How many files give their own blocks back."""
        return sum(len(group) - 1 for group in self.groups)
