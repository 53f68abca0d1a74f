"""What the catalogue says of one sort of thing that can be removed from a machine: data, read and checked.

Bytes are measured where the thing is found: what it usually holds only says what is worth measuring first. What it
costs to get it back is an estimate.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

_BYTES_IN_GB = 10**9


class PlaceKind(StrEnum):
    """Kinds of things in files and directories, as ``--only`` names them."""

    SDK = "sdk"
    TOOL = "tool"
    SWAP = "swap"
    PACKAGE_CACHE = "package-cache"
    MODEL_CACHE = "model-cache"
    JOURNAL = "journal"
    LOG = "log"
    CORE_DUMP = "core-dump"
    SNAP = "snap"


class CatalogueEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sort of thing: how it is found, what breaks without it, how it is got back.

    Args:
        name: Unique in the whole catalogue.
        kind: Decides how it is removed: swap is turned off first, a snap is removed by snapd, the rest is deleted.
        breaks: What does not work without it.
        back_s: Estimated seconds to get it back, whatever its size.
        back_s_per_gb: Estimated seconds on top for each 10^9 bytes.
        paths: Patterns of absolute paths. ``*``, ``?`` and ``[...]`` stand for names inside one directory; a pattern
            that begins with ``~/`` is looked for in every home, one that begins with ``$NAME/`` where that variable
            points. A thing inside one that was found already is not found again, and one around it not at all: so
            patterns of the parts come before those of the whole.
        together: All that is found makes one candidate; else each path makes one.
        disposable_only: Only on a machine that is thrown away after use.
        usual_gb: What one candidate of it usually holds, in 10^9 bytes.
        source: Where the entry's facts were read.
    """

    name: str
    kind: PlaceKind
    what: str
    breaks: str
    back: str
    back_s: float
    back_s_per_gb: float
    paths: tuple[str, ...] = ()
    together: bool = False
    disposable_only: bool = False
    usual_gb: float = 0.2
    source: str = ""

    def cost_s(self, size_bytes: int) -> float:
        """Return the estimated seconds to get ``size_bytes`` of it back."""
        return self.back_s + self.back_s_per_gb * size_bytes / _BYTES_IN_GB
