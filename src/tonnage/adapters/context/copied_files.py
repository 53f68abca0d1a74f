"""What a ``COPY`` or an ``ADD`` brings: files of a directory behind its ``.dockerignore``, archives, addresses.

Public:
    ``CopyMeter(heads).tree(copy, files, tries) -> Tree``: what one instruction brings. ``files`` is None for a remote
    context.

What comes from another stage or image (``COPY --from``) is not measured here.

Source: docs.docker.com/reference/dockerfile (COPY, ADD).
"""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from tonnage.adapters.context.archives import LONGEST_MAGIC, UnlistedError, list_archive, packing_of
from tonnage.adapters.context.compression import Packed
from tonnage.adapters.context.context_files import is_pattern, named_by
from tonnage.adapters.context.entries import NO_HIT, IgnoreRules
from tonnage.lazily import regex
from tonnage.model.forecast.estimate import NOTHING, UNKNOWN, Estimate, Grade, exactly, spread, weakest
from tonnage.model.forecast.file_tree import Tree
from tonnage.model.forecast.python_lock import in_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tonnage.adapters.context.context_files import ContextEntry, ContextFiles
    from tonnage.adapters.web.remote_sizes import RemoteSizes
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.recipe import CopyInstruction

_ADDRESS = regex(r"(?:https?|ftp)://")
_GIT = regex(r"git@|git://|ssh://|https?://[^#?]*\.git(?:#|$)")
_DIRECTORY_BYTES = 4096
_MOST_FILES, _MOST_LINKS = 20_000, 2_000
# What an entry takes besides its path, and all that archives bring: 400,000 entries are counted in 200 MB.
_ENTRY_BYTES, _MOST_HELD_BYTES = 350, 160 << 20
# What comes out of an archive that cannot be looked into, in hundredths of it.
_UNPACKED = (100, 300, 800)
_TAR_ZSTANDARD = (".tar.zst", ".tzst", ".tar.zstd")
# Links up to this length lie in the inode. Source: ext4, "fast symbolic links".
_FAST_LINK_BYTES = 59
# The text of a link counts as well. Source: moby 20.10, ``pkg/archive/changes.go`` (ChangesSize), measured.
_COUNTED = frozenset({"file", "link"})


class CopyMeter:
    """Measures what instructions bring."""

    def __init__(self, heads: RemoteSizes) -> None:
        self._heads = heads

    def tree(
        self,
        copy: CopyInstruction,
        files: ContextFiles | None,
        tries: Callable[[Sequence[Packed]], Estimate | None] | None = None,
    ) -> Tree:
        """Return what one ``COPY`` or ``ADD`` from a context brings.

        Args:
            files: The context; None where it lies elsewhere, so that its files cannot be seen.
            tries: Tries how far entries of an archive compress; None where nobody wants to know.

        Returns:
            Its bytes. The directories of the destination are counted: a layer has each of them.

        Raises:
            UsageError: A file of the context cannot be read.
        """
        layer = _Layer()
        several = len(copy.sources) + len(copy.inline) > 1 or copy.destination.endswith("/")
        for document in copy.inline:
            name = f"{copy.destination}/{document.name}" if several else copy.destination
            text = document.body.encode(errors="surrogatepass")
            layer.add(name, "file", len(text), text)
        remote = Tree()
        for source in copy.sources:
            if copy.adds and is_address(source):
                remote += self._fetched(source, copy, layer)
            elif files is None:
                remote += Tree(image=UNKNOWN, disk=UNKNOWN, notes=(f"{source} lies in a remote context",))
            else:
                _Copying(copy, files, layer).take(source, several=several)
        found = layer.tree()
        if tries is not None and found.image.known:
            found = replace(found, compressed=tries(layer.packed()))
        return found + remote

    def _fetched(self, address: str, copy: CopyInstruction, layer: _Layer) -> Tree:
        """Return what an address brings; its file is unpacked only where that is asked for."""
        if _GIT.match(address):
            return Tree(image=UNKNOWN, disk=UNKNOWN, download=UNKNOWN, notes=(f"{address} is a repository",))
        told = self._heads.size(address)
        layer.directories_of(copy.destination if copy.destination.endswith("/") else f"{copy.destination}/..")
        if told.size_bytes is None:
            why = told.reason if address in told.reason else f"{address}: {told.reason}"
            return Tree(image=UNKNOWN, disk=UNKNOWN, download=UNKNOWN, inodes=1, notes=(why,))
        if copy.unpacks:
            return Tree(
                image=UNKNOWN, disk=UNKNOWN, download=exactly(told.size_bytes), notes=(f"{address} is unpacked",)
            )
        name = address.partition("?")[0].rpartition("/")[2]
        path = _absolute(f"{copy.destination}{name}" if copy.destination.endswith("/") else copy.destination)
        return Tree(
            image=exactly(told.size_bytes),
            files=((path, told.size_bytes, in_blocks(told.size_bytes)),),
            disk=exactly(in_blocks(told.size_bytes)),
            download=exactly(told.size_bytes),
            inodes=1,
            notes=(told.reason,) if told.reason else (),
        )


class _Copying:
    """One instruction at work on one context."""

    def __init__(self, copy: CopyInstruction, files: ContextFiles, layer: _Layer) -> None:
        self._copy = copy
        self._files = files
        self._layer = layer
        self._excluded = IgnoreRules("\n".join(copy.excludes))
        self._hits: dict[str, int] = {}

    def take(self, source: str, *, several: bool) -> None:
        """Add what one source brings."""
        matched = named_by(source, self._files)
        if not matched and not self._copy.inline:
            # A pattern may match nothing; the builder before BuildKit refuses that only where nothing else is left.
            if is_pattern(source):
                self._layer.notes.append(f"nothing in the build context matches {source}")
            else:
                self._layer.missing.append(source)
        wild = len(matched) > 1 or several
        for entry in matched.values():
            # Of a link to a directory what is in that is copied, as of the directory itself.
            directory = entry.path if entry.kind == "directory" else self._files.directory_of(entry)
            if directory is not None:
                self._directory(directory)
            elif not self._left_out(PurePosixPath(entry.path).name):
                self._file(entry, into=wild)

    def _directory(self, root: str) -> None:
        """Add what lies in a directory; the directory itself becomes the destination."""
        destination = self._copy.destination.rstrip("/") + (f"/{root}" if self._copy.parents and root else "")
        self._layer.add(destination, "directory", 0)
        found = self._files.below(root)
        self._layer.add_below(
            destination, ((each for each in found if not self._left_out(each[0])) if self._copy.excludes else found)
        )

    def _file(self, entry: ContextEntry, *, into: bool) -> None:
        unpacks = self._copy.adds and self._copy.unpacks is not False and entry.kind == "file"
        if unpacks and self._archive(entry):
            self._layer.archives.append(entry)
            self._layer.add(self._copy.destination, "directory", 0)
            return
        name = entry.path if self._copy.parents else PurePosixPath(entry.path).name
        into = into or self._copy.parents
        path = f"{self._copy.destination.rstrip('/')}/{name}" if into else self._copy.destination
        # A link that is named itself is followed; inside a directory links stay links.
        target = self._files.followed(entry) if entry.kind == "link" else None
        found = target or entry
        self._layer.add(path, found.kind, found.size_bytes, found)
        if found.perhaps:
            self._layer.perhaps_not_sent(found)

    def _archive(self, entry: ContextEntry) -> bool:
        """Add what an archive holds; return whether a file is one."""
        most_bytes = self._layer.held_bytes + _MOST_HELD_BYTES

        unpacked = [0, 0]

        def take(path: str, kind: str, size_bytes: int) -> None:
            unpacked[0] += size_bytes if kind in _COUNTED else 0
            # Archives need not name the directories that they have.
            unpacked[1] += on_disk(kind, size_bytes) + _DIRECTORY_BYTES * path.count("/")
            self._layer.add(f"{self._copy.destination}/{path}", kind, size_bytes)
            if self._layer.held_bytes > most_bytes:
                raise UnlistedError("it has more entries and directories than can be counted")

        try:
            with open(self._files.open(entry), "rb") as file:  # noqa: PTH123 - a descriptor
                packing = packing_of(file.read(LONGEST_MAGIC))
                file.seek(0)
                found = list_archive(file, take)
        except OSError:
            return False
        except UnlistedError as error:
            self._layer.unlisted = found = True
            self._layer.notes.append(f"what {entry.path} unpacks to is not known: {error}")
        else:
            self._layer.notes += [f"{entry.path} is unpacked"] if found and packing != ".xz" else []
            if found and packing == ".xz":
                self._layer.perhaps_whole(entry, *unpacked)
            elif packing == ".zst":
                self._layer.perhaps_unpacked(entry)
        return found

    def _left_out(self, path: str) -> bool:
        if not self._copy.excludes:
            return False
        # What decides of a directory is kept for all that is in it.
        waiting = [path]
        while (above := waiting[-1].rpartition("/")[0]) and above not in self._hits:
            waiting.append(above)
        for each in reversed(waiting):
            self._hits[each] = self._excluded.hit(each, self._hits.get(each.rpartition("/")[0], NO_HIT))
        return self._excluded.leaves_out(self._hits[path])


class _Doubt(NamedTuple):
    """How many bytes more than are counted an archive may bring, or fewer."""

    likely_bytes: int
    most_bytes: int


class _Layer:
    """The files of a layer by path, so that what is written twice counts once."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, int]] = {}
        self._origins: dict[str, ContextEntry | bytes] = {}
        self._links: dict[str, str] = {}
        self.missing: list[str] = []
        self.notes: list[str] = []
        self.archives: list[ContextEntry] = []
        self.held_bytes = 0
        # Of files that may be other names of others; what copies them later makes files of their own.
        self.again_bytes = 0
        self.unlisted = False
        self._doubted = Grade.EXACT
        self._image_doubt: list[_Doubt] = []
        self._disk_doubt: list[_Doubt] = []

    def add(self, path: str, kind: str, size_bytes: int, origin: ContextEntry | bytes | None = None) -> None:
        """Add one entry with the directories above it, and where what it holds can be read."""
        normal = _absolute(path)
        if normal != "/":
            self._above(normal.rpartition("/")[0] or "/")
            self.held_bytes += 0 if normal in self._found else _ENTRY_BYTES + len(normal)
            self._found[normal] = (kind, size_bytes)
            if origin is not None and kind == "file":
                self._origins[normal] = origin

    def perhaps_not_sent(self, entry: ContextEntry) -> None:
        """Note an entry that only newer clients find in a directory that ``.dockerignore`` leaves out."""
        self._doubted = weakest((self._doubted, Grade.DECLARED))
        self._image_doubt.append(_Doubt(0, -entry.size_bytes if entry.kind in _COUNTED else 0))
        self._disk_doubt.append(_Doubt(0, -on_disk(entry.kind, entry.size_bytes)))

    def perhaps_whole(self, archive: ContextEntry, image_bytes: int, disk_bytes: int) -> None:
        """Note an archive that unpacks to so many bytes, and is copied as it is where the engine finds no ``xz``.

        Source: moby 20.10 to 28 and BuildKit of August 2026 start that program, and take what it does not unpack for no
        archive.
        """
        self._doubted = weakest((self._doubted, Grade.DECLARED))
        self._image_doubt.append(_Doubt(0, archive.size_bytes - image_bytes))
        self._disk_doubt.append(_Doubt(0, in_blocks(archive.size_bytes) - disk_bytes))
        self.notes.append(f"{archive.path} is unpacked where the engine finds the program xz, and else copied as it is")

    def perhaps_unpacked(self, archive: ContextEntry) -> None:
        """Note an archive that engines from Docker 23 on unpack, if there is a tar archive in it.

        Source: moby 23, ``pkg/archive`` (zstd).
        """
        self._doubted = Grade.UNKNOWN
        least, likely, most = (archive.size_bytes * percent // 100 for percent in _UNPACKED)
        doubt = _Doubt(likely - least if archive.path.endswith(_TAR_ZSTANDARD) else 0, most - least)
        self._image_doubt.append(doubt)
        self._disk_doubt.append(doubt)
        self.notes.append(f"what {archive.path} unpacks to is not known: assumed to be up to 8 times its size")

    def add_below(self, directory: str, inside: Iterable[tuple[str, ContextEntry]]) -> None:
        """Add what lies in a directory of a context, each with its path below it."""
        above = _absolute(directory).rstrip("/")
        known, origins = self._found, self._origins
        seen: set[bytes] = set()
        for name, entry in inside:
            if entry.stamp:
                if entry.stamp in seen:
                    # Another name of a file that is copied too stays one. Source: BuildKit of Docker 20.10, measured.
                    self.again_bytes += entry.size_bytes
                seen.add(entry.stamp)
            path = f"{above}/{name}"
            if path not in known:
                self._above(path.rpartition("/")[0] or "/")
                self.held_bytes += _ENTRY_BYTES + len(path)
            known[path] = (entry.kind, entry.size_bytes)
            if entry.kind == "file":
                origins[path] = entry
            elif entry.kind == "link":
                self._links[path] = entry.target
            if entry.perhaps:
                self.perhaps_not_sent(entry)

    def directories_of(self, path: str) -> None:
        """Add a directory and those above it, as far as they are not there."""
        self._above(_absolute(path))

    def _above(self, normal: str) -> None:
        while normal != "/" and normal not in self._found:
            self.held_bytes += _ENTRY_BYTES + len(normal)
            self._found[normal] = ("directory", 0)
            normal = os.path.dirname(normal)  # noqa: PTH120 - a path in an image, not of this machine

    def tree(self) -> Tree:
        """Return the bytes of everything."""
        image = disk = 0
        for kind, size in self._found.values():
            image += size if kind in _COUNTED else 0
            disk += on_disk(kind, size)
        archive_bytes = sum(each.size_bytes for each in self.archives)
        return Tree(
            image=UNKNOWN if self.unlisted else self._sized(image, self._image_doubt),
            disk=UNKNOWN if self.unlisted else self._sized(disk, self._disk_doubt),
            transient=exactly(archive_bytes) if archive_bytes else NOTHING,
            inodes=len(self._found),
            files=self._files() if len(self._found) <= _MOST_FILES and self._certain else (),
            links=tuple((target, path) for path, target in self._links.items()) * (len(self._links) <= _MOST_LINKS),
            missing=tuple(self.missing),
            notes=tuple(self.notes),
        )

    @property
    def _certain(self) -> bool:
        return not self.unlisted and self._doubted is Grade.EXACT

    def _sized(self, count_bytes: int, doubts: Sequence[_Doubt]) -> Estimate:
        if not doubts and not self.again_bytes:
            return exactly(count_bytes)
        once_bytes = max(0, count_bytes - self.again_bytes)
        return spread(
            max(0, once_bytes + sum(min(0, each.most_bytes) for each in doubts)),
            once_bytes + sum(each.likely_bytes for each in doubts),
            count_bytes + sum(max(0, each.most_bytes) for each in doubts),
            weakest((self._doubted, Grade.DECLARED)),
        )

    def packed(self) -> list[Packed]:
        """Return the entries of the layer as they lie in an archive.

        What an archive of the context unpacks to compresses as far as the archive does, which may be compressed itself.
        """
        found = [Packed(each.path, each.size_bytes, each) for each in self.archives]
        for path in self._found if not found else self._origins:
            origin = self._origins.get(path)
            if isinstance(origin, bytes):
                found.append(Packed(path, len(origin), text=origin))
            else:
                found.append(Packed(path, origin.size_bytes if origin is not None else 0, origin))
        return found

    def _files(self) -> tuple[tuple[str, int, int], ...]:
        return tuple(
            (path, size if kind == "file" else 0, on_disk(kind, size))
            for path, (kind, size) in self._found.items()
            if kind != "link"
        )


def is_address(source: str) -> bool:
    """Return whether a source of an ``ADD`` lies elsewhere and not in the context."""
    return _ADDRESS.match(source) is not None or _GIT.match(source) is not None


def tree_of(found: Iterable[tuple[str, str, int]]) -> Tree:
    """Return the bytes of entries that are given as path, kind and bytes.

    Args:
        found: The entries; a file that comes twice counts once.
    """
    layer = _Layer()
    for path, kind, size in found:
        layer.add(path, kind, size)
    return layer.tree()


def on_disk(kind: str, size: int) -> int:
    """Return what a file, link or directory takes on a disk with blocks of 4 KiB."""
    if kind == "directory":
        return _DIRECTORY_BYTES
    if kind == "file" or (kind == "link" and size > _FAST_LINK_BYTES):
        return in_blocks(size)
    return 0


def _absolute(path: str) -> str:
    """Return a path in an image without anything doubled in it."""
    if path.startswith("/") and "//" not in path and "/." not in path and not path.endswith("/"):
        # Most are so already: only what begins with a dot may be there for nothing.
        return path
    return os.path.normpath("/" + path.lstrip("/"))
