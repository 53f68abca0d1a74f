"""Swap files: which the kernel uses, whether they can be done without now, and turning them off."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from tonnage.adapters.host.mount_table import unescaped

_LEAST_FIELDS = 4
_KIB = 1024
_SPARE_OF_MEMORY = 0.8
"""Of the memory that is available, what may be filled with what lies in swap: the rest is for what runs meanwhile."""


class SwapFile(Struct, frozen=True):
    """One swap file in use.

    Args:
        path: Where it is.
        used_bytes: What lies in it and has to find room in memory before it can go.
    """

    path: str
    used_bytes: int


def read_swap_files(table: str = "/proc/swaps") -> tuple[SwapFile, ...]:
    """Read which files are used as swap; partitions are left out, they hold no bytes of a filesystem.

    Returns:
        The files; none where the kernel has no swap.

    Source: proc(5), /proc/swaps.
    """
    try:
        lines = Path(table).read_text(encoding="utf-8", errors="surrogateescape").splitlines()[1:]
    except OSError:
        return ()
    rows = [line.split() for line in lines]
    return tuple(
        SwapFile(unescaped(row[0]), int(row[3]) * _KIB) for row in rows if len(row) > _LEAST_FIELDS and row[1] == "file"
    )


def why_needed(swap: SwapFile, available_memory_bytes: int) -> str:
    """Return why a swap file cannot be done without now; empty when it can."""
    if swap.used_bytes <= available_memory_bytes * _SPARE_OF_MEMORY:
        return ""
    return (
        f"{swap.used_bytes} bytes are in it, and only {available_memory_bytes} bytes of memory are available for them"
    )


def turn_off(path: str) -> None:
    """Stop using a swap file; nothing happens when it is not in use.

    Raises:
        OSError: The kernel refuses: no right to, or not enough memory.
    """
    if path not in {each.path for each in read_swap_files()}:
        return
    import ctypes  # noqa: PLC0415 - few machines have swap in a file

    system = ctypes.CDLL(None, use_errno=True)
    if system.swapoff(os.fsencode(path)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
