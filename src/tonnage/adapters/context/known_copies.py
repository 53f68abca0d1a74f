"""What instructions brought of large contexts, remembered between commands as long as nothing in the context changed.

The sums of a hundred thousand files take longer to put together than the files to look at. Kept under what the
filesystem says of all of them, as in the index of git: a context in which anything is otherwise is looked at anew.
What comes from elsewhere, and large files, which are compared with those of other contexts, are never remembered.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tonnage.adapters.context.copy_digest import COMPARED_BYTES, CopyContents, sent_files
from tonnage.adapters.context.known_sums import SETTLED_NS
from tonnage.lazily import learned
from tonnage.model.forecast.file_tree import Tree  # noqa: TC001

if TYPE_CHECKING:
    from tonnage.adapters.context.context_files import ContextFiles
    from tonnage.adapters.web.disk_cache import DiskCache
    from tonnage.model.forecast.recipe import CopyInstruction

# The number changes with what is kept, so that what another way kept is never read.
_KIND = "copies-1"
LEAST_ENTRIES = 10_000
"""Smaller contexts are looked at as quickly."""


class RememberedCopy(Struct, frozen=True):
    """What one instruction brought.

    Args:
        by_name: As in ``CopyContents``.
        by_path: As in ``CopyContents``.
    """

    by_name: str
    by_path: str
    tree: Tree


class KnownCopies:
    """Remembered copies.

    Args:
        kept: Where they are kept; None to remember nothing.
    """

    def __init__(self, kept: DiskCache | None) -> None:
        self._kept = kept
        self._begun_ns = time.time_ns()

    def find(
        self, copy: CopyInstruction, files: ContextFiles | None, *, packing: bool
    ) -> tuple[CopyContents, Tree] | None:
        """Return what an instruction brought of a context in which nothing changed since; None where that is not known.

        Raises:
            UsageError: The context cannot be read.
        """
        key = self._key(copy, files, packing=packing)
        told = self._kept.read(_KIND, key) if key and self._kept is not None else None
        if told is None or files is None:
            return None
        try:
            found = msgspec.msgpack.decode(told, type=learned(RememberedCopy))
        except msgspec.MsgspecError:
            return None
        return CopyContents(found.by_name, found.by_path, sent_files(copy, files)), found.tree

    def keep(
        self, copy: CopyInstruction, files: ContextFiles | None, found: CopyContents, tree: Tree, *, packing: bool
    ) -> None:
        """Remember what an instruction brought; not what was tried in part, nor of what is changing now."""
        key = self._key(copy, files, packing=packing)
        if not key or self._kept is None or (packing and tree.compressed is None):
            return
        told = RememberedCopy(found.by_name, found.by_path, tree)
        self._kept.keep(_KIND, key, msgspec.msgpack.encode(told))

    def _key(self, copy: CopyInstruction, files: ContextFiles | None, *, packing: bool) -> str:
        """Return what tells a copy from every other one; empty for one that is not remembered."""
        if self._kept is None or files is None or copy.adds or copy.inline or len(files.entries) < LEAST_ENTRIES:
            return ""
        if files.largest_bytes > COMPARED_BYTES or files.changed_ns >= self._begun_ns - SETTLED_NS:
            return ""
        asked = repr((files.directory, copy.sources, copy.destination, copy.excludes, copy.parents, packing))
        told = files.fingerprint
        return hashlib.sha256(f"{asked}\0{told}".encode(errors="surrogatepass")).hexdigest() if told else ""
