"""The directories that one build takes files from, and what BuildKit keeps of them beside the layers.

It keeps each file that it was sent, once for each directory. Services that build from the same directory share it.
Large files are counted each for itself and small ones by the directory that they lie in, so that what two services are
sent alike is counted once.

Source: ``source/local`` of BuildKit 0.8; measured with Docker 20.10.24.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, assumed, exactly, weakest
from tonnage.model.forecast.recipe import CopyInstruction, FileSourceKind
from tonnage.model.forecast.sized_effects import Aside

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.forecast.gather.lookups import BuildContext, Copied
    from tonnage.forecast.gather.visible_files import TextFile
    from tonnage.model.forecast.recipe import FileSource, RunMount

_ITSELF = Estimate(16_384, 49_152, 131_072, Grade.EXACT)
_LARGE_BYTES = 1_000_000
_DEPTH = 3


class Contexts:
    """The contexts of one build.

    Args:
        own: The build's own.
        named: Others by their value, such as a directory.
        assume_bytes: What is assumed of what nobody knows.
    """

    def __init__(self, own: BuildContext, named: Mapping[str, BuildContext], assume_bytes: int) -> None:
        self._own = own
        self._named = named
        self._assume_bytes = assume_bytes
        self._sent: dict[str, set[str]] = {}

    def of(self, origin: FileSource) -> BuildContext:
        """Return the context that is meant."""
        return self._named.get(origin.name, self._own) if origin.kind is FileSourceKind.NAMED else self._own

    def reader(self, origin: FileSource) -> Callable[[str], TextFile | None]:
        """Return what reads a text file of a context."""
        return self.of(origin).text

    def kept(self, origin: FileSource, copied: Copied) -> tuple[Aside, ...]:
        """Return what a builder keeps of what it is sent, or fetches, for one instruction."""
        context = self.of(origin)
        sent = kept_sources(context.key, copied.files, self._sent.setdefault(context.key, set()))
        if copied.tree.disk.known and copied.tree.download == NOTHING:
            return sent
        fetched = copied.tree.download if copied.tree.download != NOTHING else copied.tree.disk
        kept = fetched if fetched.known else assumed(self._assume_bytes)
        return (*sent, Aside(key=f"fetched:{context.key}\0{copied.by_path}", name="what is fetched", disk=kept))

    def perhaps_whole(self) -> tuple[Aside, ...]:
        """Return what a builder keeps where a ``tmpfs`` is mounted: as long as it needs the context, all of it.

        Source: measured with Docker 20.10.24; ``dockerfile2llb`` of BuildKit 0.8.
        """
        size = self._own.whole().disk
        size = size if size.known else assumed(self._assume_bytes)
        perhaps = Estimate(0, 0, size.high_bytes, weakest((size.grade, Grade.DECLARED)))
        return (Aside(key=f"context:{self._own.key}\0whole", name="the rest of the context", disk=perhaps),)

    def mounted(self, mount: RunMount, origin: FileSource) -> tuple[Copied, tuple[Aside, ...]]:
        """Return what a mount of a context shows, and what a builder keeps of it."""
        copied = self.of(origin).copied(
            CopyInstruction(sources=(mount.source or ".",), destination=mount.target or "/", origin=origin)
        )
        return copied, self.kept(origin, copied)


def kept_sources(context: str, files: Sequence[tuple[str, int]], sent: set[str]) -> tuple[Aside, ...]:
    """Return what is kept of the files that one instruction needs."""
    fresh = [(path, disk_bytes) for path, disk_bytes in files if path not in sent]
    sent.update(path for path, _ in fresh)
    groups: dict[str, list[tuple[str, int]]] = {}
    for path, disk_bytes in fresh:
        name = path if disk_bytes >= _LARGE_BYTES else "/".join(path.split("/")[:-1][:_DEPTH]) + "/"
        groups.setdefault(name, []).append((path, disk_bytes))
    if not groups:
        return ()
    itself = Aside(key=f"context:{context}", name="the builder's copy of the context", disk=_ITSELF)
    return (itself, *(_kept(context, name, group) for name, group in groups.items()))


def _kept(context: str, name: str, group: Sequence[tuple[str, int]]) -> Aside:
    digest = hashlib.sha256(repr(sorted(group)).encode(errors="surrogatepass")).hexdigest()
    disk = exactly(sum(disk_bytes for _, disk_bytes in group))
    return Aside(key=f"context:{context}\0{name}\0{digest}", name=f"{name} of the context", disk=disk)
