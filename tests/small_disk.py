"""A real filesystem in memory that has room for so many pages and not one more."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class SmallDisk:
    """A filesystem in memory with so many pages."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(mode=0o700)
        self._mount("mode=0700,size=1g")

    def leave(self, pages: int) -> None:
        """Leave so many pages that can still be written."""
        told = os.statvfs(self.place)
        # A size of nothing would be no limit at all.
        self._mount(f"remount,size={max(1, told.f_blocks - told.f_bfree + pages) * PAGE_BYTES}")

    def empty(self) -> None:
        self._mount("remount,size=1g")

    def close(self) -> None:
        subprocess.run(["umount", self.place], check=True)

    def _mount(self, options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tonnage-test", self.place], check=True)
