"""A build context for forecasting: what instructions take from a directory, and what that weighs."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tonnage.adapters.context.copied_files import tree_of
from tonnage.adapters.context.copy_digest import contents_of
from tonnage.forecast.gather.lookups import Copied
from tonnage.forecast.gather.visible_files import PROJECT, TextFile
from tonnage.forecast.requirements.encodings import decoded
from tonnage.model.forecast.estimate import UNKNOWN
from tonnage.model.forecast.file_tree import Tree
from tonnage.small_files import CONTEXT_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.adapters.context.compression import Packing
    from tonnage.adapters.context.context_files import ContextFiles
    from tonnage.adapters.context.copied_files import CopyMeter
    from tonnage.adapters.context.copy_digest import FileTokens
    from tonnage.adapters.context.known_copies import KnownCopies
    from tonnage.model.forecast.debian_package import DebPackage
    from tonnage.model.forecast.python_lock import LocalWheel
    from tonnage.model.forecast.recipe import CopyInstruction

T = TypeVar("T")
_NAMED = (".whl", ".deb", *PROJECT)


class DirectoryContext:
    """A directory that a build takes files from.

    Args:
        files: Its files; None where the context lies elsewhere.
        known: What is remembered of copies.
    """

    def __init__(
        self,
        files: ContextFiles | None,
        key: str,
        meter: CopyMeter,
        tokens: FileTokens,
        packing: Packing,
        known: KnownCopies,
    ) -> None:
        self._files = files
        self._known = known
        self._packing = packing
        self._meter = meter
        self._tokens = tokens
        self._lock = threading.Lock()
        self.key = key

    def copied(self, copy: CopyInstruction, *, packing: bool = False) -> Copied:
        """Measure what an instruction copies or adds."""
        known = self._known.find(copy, self._files, packing=packing)
        if known is not None:
            found, tree = known
            return Copied(tree, found.by_name, found.by_path, found.files)
        found = contents_of(copy, self._files, self._tokens)
        how = "\0".join((self.key, found.by_path, copy.destination, *copy.excludes, str(copy.parents)))
        tries = partial(self._packing.tried, how, self._files) if packing else None
        tree = self._meter.tree(copy, self._files, tries)
        self._known.keep(copy, self._files, found, tree, packing=packing)
        return Copied(tree, found.by_name, found.by_path, found.files)

    def whole(self) -> Tree:
        """Measure all of it."""
        if self._files is None:
            return Tree(image=UNKNOWN, disk=UNKNOWN)
        return tree_of((entry.path, entry.kind, entry.size_bytes) for entry in self._files.entries)

    def named(self) -> dict[str, str]:
        """Return files in it that the builder sees and installs name: by path where each really lies."""
        with self._lock:
            entries = () if self._files is None else self._files.entries
        return {each.path: each.actual for each in entries if each.kind == "file" and each.path.endswith(_NAMED)}

    def wheel(self, path: str) -> LocalWheel | None:
        """Read a wheel in it; None where it is none that can be read."""
        from tonnage.forecast.python.wheels import read_local  # noqa: PLC0415 - few contexts have one

        return self._read(path, lambda descriptor: read_local(descriptor, path.rpartition("/")[2]))

    def package(self, path: str) -> DebPackage | None:
        """Read what a package of Debian says of itself; None where it is none that can be read."""
        from tonnage.adapters.context.debian_files import read_package  # noqa: PLC0415 - as above

        return self._read(path, read_package)

    def _read(self, path: str, read: Callable[[int], T | None]) -> T | None:
        with self._lock:
            found = None if self._files is None else self._files.entry(path)
        if self._files is None or found is None or found.kind != "file":
            return None
        try:
            return read(self._files.open(found))
        except OSError:
            return None

    def text(self, path: str) -> TextFile | None:
        """Return a text file in it; None where there is none that the builder sees."""
        wanted = path.strip("/")
        if self._files is None or not wanted:
            return None
        with self._lock:
            found = self._files.entry(wanted)
            if found is not None and found.kind == "link":
                found = self._files.followed(found)
        if found is None:
            return None
        try:
            # A carriage return of its own is for the reader to judge.
            text = decoded(self._files.read(found, CONTEXT_TEXT)).replace("\r\n", "\n")
        except OSError:
            return None
        return TextFile(text, found.actual)
