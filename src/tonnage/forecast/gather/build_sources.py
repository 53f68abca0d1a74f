"""What one build stands on and takes files from: images, each looked up once, and directories.

BuildKit keeps of a directory each file that it was sent, once for each directory, beside the layers. Services that
build from the same directory share it. Large files are counted each for itself and small ones by the directory that
they lie in, so that what two services are sent alike is counted once.

Source: ``source/local`` of BuildKit 0.8; measured with Docker 20.10.24.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.errors import TonnageError
from tonnage.forecast.costs.base_layers import ground_of, unknown_ground
from tonnage.forecast.gather.visible_files import ContextReader
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, exactly, weakest
from tonnage.model.forecast.margins import but_for
from tonnage.model.forecast.recipe import CopyInstruction, FileSourceKind
from tonnage.model.forecast.sized_effects import Aside
from tonnage.model.references import spellings
from tonnage.sources.outside import may_be_sent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.forecast.gather.context import Diagnostics, ForecastContext
    from tonnage.forecast.gather.lookups import BuildContext, Copied, Lookups
    from tonnage.forecast.gather.visible_files import TextFile
    from tonnage.model.forecast.base_image import BaseImage
    from tonnage.model.forecast.recipe import BaseConfig, FileSource, RunMount
    from tonnage.model.forecast.sized_effects import BaseLayers

# The bound for commands may be set to a few megabytes; an image that cannot be had is still an image.
_LEAST_ASSUMED_BYTES = 500_000_000
_ITSELF = but_for(16_384, 49_152, 131_072)
# What BuildKit notes of each file: 250 bytes with Docker 20.10, 185 with 28.5.
_NOTES = but_for(64, 210, 400)
_LARGE_BYTES = 1_000_000
_DEPTH = 3


class Bases:
    """The images of one build.

    Of one that cannot be had 500 MB are assumed at the least.
    """

    def __init__(self, lookups: Lookups, said: Diagnostics, around: ForecastContext) -> None:
        self._around = around
        self._assume_bytes = max(around.assume_bytes, _LEAST_ASSUMED_BYTES)
        self._lookups = lookups
        self._said = said
        self._known: dict[tuple[str, str], BaseImage | None] = {}
        self._why: dict[str, str] = {}

    def find(self, reference: str, platform: str) -> BaseImage | None:
        """Return an image, or None where it cannot be had; why is noted."""
        key = (reference, platform)
        if key not in self._known:
            try:
                self._known[key] = self._lookups.base_image(reference, platform)
            except TonnageError as error:
                self._known[key] = None
                why = " ".join(f"{error.what}. {error.why}".split()).rstrip(". ")
                self._why[reference] = why
                self._said.failures.append(f"the image {reference}: {why}")
            else:
                found = self._known[key]
                self._said.notes += [f"{reference}: {note}" for note in (found.notes if found else ())]
        return self._known[key]

    def config(self, origin: FileSource, platform: str) -> BaseConfig | None:
        """Return what an image gives to the stage on it."""
        if origin.kind is not FileSourceKind.IMAGE:
            return None
        base = self.find(origin.name, origin.platform or platform)
        return None if base is None else base.config

    def layers(self, reference: str, base: BaseImage | None) -> BaseLayers:
        """Return what a stage stands on."""
        if base is None:
            why = self._why.get(reference, "it could not be read")
            return unknown_ground(reference, self._assume_bytes, why)
        ground = ground_of(base, self._around.layers_there, self._assume_bytes)
        return replace(ground, beside=not self._around.beside.isdisjoint(spellings(reference)))


class Contexts:
    """The contexts of one build.

    Args:
        said: Is told what is not read, because it lies outside of the project.
        packing: Whether the builder keeps layers compressed as well, so that it matters how far files compress.
    """

    def __init__(
        self,
        own: BuildContext,
        named: Mapping[str, BuildContext],
        assume_bytes: int,
        said: Diagnostics,
        *,
        packing: bool = False,
    ) -> None:
        self._own = own
        self._named = named
        self._assume_bytes = assume_bytes
        self._said = said
        self._packing = packing
        self._sent: dict[str, set[str]] = {}

    def of(self, origin: FileSource) -> BuildContext:
        """Return the context that is meant."""
        return self._named.get(origin.name, self._own) if origin.kind is FileSourceKind.NAMED else self._own

    def copied(self, origin: FileSource, copy: CopyInstruction) -> Copied:
        """Return what an instruction copies or adds of the context that is meant."""
        return self.of(origin).copied(copy, packing=self._packing)

    def reader(self, origin: FileSource) -> ContextReader:
        """Return what reads files of a context."""
        context = self.of(origin)

        def text(path: str) -> TextFile | None:
            found = context.text(path)
            if found is None or may_be_sent(found.place, self._said.root):
                return found
            note = f"{found.place} is not read: it is outside the project, and is not named as requirements are"
            self._said.notes += [note] if note not in self._said.notes else []
            return None

        def named() -> list[str]:
            # What they need is asked of indexes, so one outside of the project says nothing.
            return [path for path, actual in context.named().items() if may_be_sent(actual, self._said.root)]

        return ContextReader(text, named, context.wheel, context.package)

    def kept(self, origin: FileSource, copied: Copied) -> tuple[Aside, ...]:
        """Return what a builder keeps of what it is sent, or fetches, for one instruction."""
        context = self.of(origin)
        sent = kept_sources(context.key, copied.files, self._sent.setdefault(context.key, set()))
        if copied.tree.disk.known and copied.tree.download == NOTHING:
            return sent
        fetched = copied.tree.download if copied.tree.download != NOTHING else copied.tree.disk
        kept = fetched.or_assumed(self._assume_bytes)
        return (*sent, Aside(key=f"fetched:{context.key}\0{copied.by_path}", name="what is fetched", disk=kept))

    def perhaps_whole(self) -> tuple[Aside, ...]:
        """Return what a builder keeps where a ``tmpfs`` is mounted: as long as it needs the context, all of it.

        Source: measured with Docker 20.10.24; ``dockerfile2llb`` of BuildKit 0.8.
        """
        size = self._own.whole().disk.or_assumed(self._assume_bytes)
        perhaps = Estimate(0, 0, size.high_bytes, weakest((size.grade, Grade.DECLARED)))
        return (Aside(key=f"context:{self._own.key}\0whole", name="the rest of the context", disk=perhaps),)

    def mounted(self, mount: RunMount, origin: FileSource) -> tuple[Copied, tuple[Aside, ...]]:
        """Return what a mount of a context shows, and what a builder keeps of it."""
        shown = CopyInstruction(sources=(mount.source or ".",), destination=mount.target or "/", origin=origin)
        copied = self.copied(origin, shown)
        return copied, self.kept(origin, copied)


def kept_sources(context: str, files: Sequence[tuple[str, int]], sent: set[str]) -> tuple[Aside, ...]:
    """Return what is kept of the files that one instruction needs."""
    fresh = [each for each in files if each[0] not in sent] if sent else files
    sent.update(path for path, _ in fresh)
    groups: dict[str, list[tuple[str, int]]] = {}
    tops: dict[str, str] = {}
    for each in fresh:
        path, disk_bytes = each
        above = path.rpartition("/")[0]
        name = path if disk_bytes >= _LARGE_BYTES else tops.get(above)
        if name is None:
            name = tops[above] = "/".join(above.split("/", _DEPTH)[:_DEPTH]) + "/"
        group = groups.get(name)
        if group is None:
            groups[name] = [each]
        else:
            group.append(each)
    if not groups:
        return ()
    itself = Aside(key=f"context:{context}", name="the builder's copy of the context", disk=_ITSELF)
    return (itself, *(_kept(context, name, group) for name, group in groups.items()))


def _kept(context: str, name: str, group: Sequence[tuple[str, int]]) -> Aside:
    digest = hashlib.sha256(repr(sorted(group)).encode(errors="surrogatepass")).hexdigest()
    disk = exactly(sum(disk_bytes for _, disk_bytes in group)) + _NOTES.each(lambda count: count * len(group))
    return Aside(key=f"context:{context}\0{name}\0{digest}", name=f"{name} of the context", disk=disk)
