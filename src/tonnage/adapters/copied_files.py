"""What a ``COPY`` or an ``ADD`` brings: files of a directory behind its ``.dockerignore``, archives, addresses.

Public:
    ``open_context(spec) -> ContextFiles | None``: the context of a build; None where it is an address.
    ``ContextFiles(directory, rules, place="")``: a directory, walked once when it is first needed.
    ``CopyMeter(heads).tree(copy, files) -> Tree``: what one instruction brings. ``files`` is None for a remote context.

What comes from another stage or image (``COPY --from``) is not measured here.

Source: docs.docker.com/reference/dockerfile (COPY, ADD), Go's ``path/filepath.Match``.
"""

from __future__ import annotations

import os
import re
import tarfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters.build_context import entries, read_rules
from tonnage.adapters.build_inputs import ignored_text, is_remote
from tonnage.lazily import regex
from tonnage.model.forecast import NOTHING, UNKNOWN, exactly
from tonnage.model.lock import in_blocks
from tonnage.model.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tonnage.adapters.build_context import Rule
    from tonnage.adapters.heads import Heads
    from tonnage.model.recipe import Copy
    from tonnage.model.stack import BuildSpec

_ADDRESS = regex(r"(?:https?|ftp)://")
_GIT = regex(r"git@|git://|ssh://|https?://[^#?]*\.git(?:#|$)")
_WILD = regex(r"[*?\[\\]")
_DIRECTORY_BYTES = 4096
_MOST_FILES = 20_000
# Links up to this length lie in the inode. Source: ext4, "fast symbolic links".
_FAST_LINK_BYTES = 59


class Entry(Struct, frozen=True):
    """One file, link or directory below a context.

    Args:
        path: Its path below the context, with ``/``.
        size_bytes: The bytes of a file, or of a link's text.
        kind: file, link or directory.
        actual: Where it lies on this machine.
    """

    path: str
    size_bytes: int
    kind: str
    actual: str


class ContextFiles:
    """The files of a directory that a builder may read.

    Args:
        directory: The directory.
        rules: What is left out.
        place: Where the user wrote the directory, for messages.
    """

    def __init__(self, directory: str, rules: Sequence[Rule] = (), place: str = "") -> None:
        self._directory = directory
        self._rules = tuple(rules)
        self._place = place
        self._entries: tuple[Entry, ...] | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything in it, in a fixed order.

        Raises:
            UsageError: Something that counts cannot be read.
        """
        if self._entries is None:
            self._entries = tuple(self._walk())
        return self._entries

    def tree(self) -> Tree:
        """Return all of it: what a builder is sent that copies the whole context."""
        layer = _Layer()
        for entry in self.entries:
            layer.add(entry.path, entry.kind, entry.size_bytes)
        return layer.tree()

    def _walk(self) -> Iterator[Entry]:
        for path, found in entries(self._directory, self._rules, self._place):
            try:
                seen = found.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if found.is_symlink():
                yield Entry(path, seen.st_size, "link", found.path)
            elif found.is_dir(follow_symlinks=False):
                yield Entry(path, 0, "directory", found.path)
            elif found.is_file(follow_symlinks=False):
                yield Entry(path, seen.st_size, "file", found.path)


def open_context(spec: BuildSpec) -> ContextFiles | None:
    """Return the context of a build; None where it is an address.

    Args:
        spec: The build.

    Returns:
        Its files, which are walked when they are first needed.

    Raises:
        UsageError: Its ``.dockerignore`` cannot be read.
    """
    if is_remote(spec.context):
        return None
    return ContextFiles(spec.context, read_rules(ignored_text(spec)), str(spec.place or ""))


class CopyMeter:
    """Measures what instructions bring.

    Args:
        heads: Asks addresses for their size.
    """

    def __init__(self, heads: Heads) -> None:
        self._heads = heads

    def tree(self, copy: Copy, files: ContextFiles | None) -> Tree:
        """Return what one ``COPY`` or ``ADD`` from a context brings.

        Args:
            copy: The instruction.
            files: The context; None where it lies elsewhere, so that its files cannot be seen.

        Returns:
            Its bytes. The directories of the destination are counted: a layer has each of them.

        Raises:
            UsageError: A file of the context cannot be read.
        """
        layer = _Layer()
        several = len(copy.sources) + len(copy.inline) > 1 or copy.destination.endswith("/")
        for document in copy.inline:
            name = f"{copy.destination}/{document.name}" if several else copy.destination
            layer.add(name, "file", len(document.body.encode(errors="surrogatepass")))
        remote = Tree()
        for source in copy.sources:
            if copy.adds and (_ADDRESS.match(source) or _GIT.match(source)):
                remote += self._fetched(source, copy, layer)
            elif files is None:
                remote += Tree(image=UNKNOWN, disk=UNKNOWN, notes=(f"{source} lies in a remote context",))
            else:
                _Copying(copy, files, layer).take(source, several=several)
        return layer.tree() + remote

    def _fetched(self, address: str, copy: Copy, layer: _Layer) -> Tree:
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
        return Tree(
            image=exactly(told.size_bytes),
            disk=exactly(in_blocks(told.size_bytes)),
            download=exactly(told.size_bytes),
            inodes=1,
            notes=(told.reason,) if told.reason else (),
        )


class _Copying:
    """One instruction at work on one context."""

    def __init__(self, copy: Copy, files: ContextFiles, layer: _Layer) -> None:
        self._copy = copy
        self._files = files
        self._layer = layer
        self._excluded = read_rules("\n".join(copy.excludes))

    def take(self, source: str, *, several: bool) -> None:
        """Add what one source brings."""
        pattern = _cleaned(source)
        matched = {entry.path: entry for entry in self._files.entries if _matches(pattern, entry.path)}
        if not pattern:
            matched = {"": Entry("", 0, "directory", "")}
        elif not matched and any(entry.path.startswith(f"{pattern}/") for entry in self._files.entries):
            # The directory itself is left out, but something in it is taken back.
            matched = {pattern: Entry(pattern, 0, "directory", "")}
        if not matched and not self._copy.inline:
            # A pattern may match nothing; the builder before BuildKit refuses that only where nothing else is left.
            if _WILD.search(pattern):
                self._layer.notes.append(f"nothing in the build context matches {source}")
            else:
                self._layer.missing.append(source)
        wild = len(matched) > 1 or several
        for entry in matched.values():
            if entry.kind == "directory":
                self._directory(entry.path)
            elif not self._left_out(PurePosixPath(entry.path).name):
                self._file(entry, into=wild)

    def _directory(self, root: str) -> None:
        """Add what lies in a directory; the directory itself becomes the destination."""
        destination = self._copy.destination.rstrip("/") + (f"/{root}" if self._copy.parents and root else "")
        self._layer.add(destination, "directory", 0)
        start = f"{root}/" if root else ""
        for entry in self._files.entries:
            inside = entry.path.removeprefix(start)
            if entry.path.startswith(start) and inside and not self._left_out(inside):
                self._layer.add(f"{destination}/{inside}", entry.kind, entry.size_bytes)

    def _file(self, entry: Entry, *, into: bool) -> None:
        unpacked = None
        if self._copy.adds and self._copy.unpacks is not False and entry.kind == "file":
            unpacked = archive_entries(entry.actual)
        if unpacked is not None:
            self._layer.notes.append(f"{entry.path} is unpacked")
            self._layer.archive_bytes += entry.size_bytes
            self._layer.add(self._copy.destination, "directory", 0)
            for path, kind, size in unpacked:
                self._layer.add(f"{self._copy.destination}/{path}", kind, size)
            return
        name = entry.path if self._copy.parents else PurePosixPath(entry.path).name
        into = into or self._copy.parents
        path = f"{self._copy.destination.rstrip('/')}/{name}" if into else self._copy.destination
        kind, size = entry.kind, entry.size_bytes
        if kind == "link":
            # A link that is named itself is followed; inside a directory links stay links.
            target = _followed(entry, self._files)
            kind, size = ("file", target) if target is not None else (kind, size)
        self._layer.add(path, kind, size)

    def _left_out(self, path: str) -> bool:
        names = path.split("/")
        for rule in reversed(self._excluded):
            if any(rule.matches.match("/".join(names[:count])) for count in range(1, len(names) + 1)):
                return not rule.takes_back
        return False


class _Layer:
    """The files of a layer by path, so that what is written twice counts once."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, int]] = {}
        self.missing: list[str] = []
        self.notes: list[str] = []
        self.archive_bytes = 0

    def add(self, path: str, kind: str, size_bytes: int) -> None:
        """Add one entry with the directories above it."""
        normal = _absolute(path)
        self.directories_of(f"{normal}/..")
        if normal != "/":
            self._found[normal] = (kind, size_bytes)

    def directories_of(self, path: str) -> None:
        """Add a directory and those above it, as far as they are not there."""
        normal = _absolute(path)
        while normal != "/" and normal not in self._found:
            self._found[normal] = ("directory", 0)
            normal = os.path.dirname(normal)  # noqa: PTH120 - a path in an image, not of this machine

    def tree(self) -> Tree:
        """Return the bytes of everything."""
        # The text of a link counts as well. Source: moby 20.10, ``pkg/archive/changes.go`` (ChangesSize).
        image = sum(size for kind, size in self._found.values() if kind in {"file", "link"})
        disk = sum(map(_on_disk, self._found.values()))
        return Tree(
            image=exactly(image),
            disk=exactly(disk),
            transient=exactly(self.archive_bytes) if self.archive_bytes else NOTHING,
            inodes=len(self._found),
            files=self._files() if len(self._found) <= _MOST_FILES else (),
            missing=tuple(self.missing),
            notes=tuple(self.notes),
        )

    def _files(self) -> tuple[tuple[str, int, int], ...]:
        return tuple(
            (path, size if kind in {"file", "link"} else 0, _on_disk((kind, size)))
            for path, (kind, size) in self._found.items()
        )


def archive_entries(path: str) -> list[tuple[str, str, int]] | None:
    """List a tar archive, as path, kind and bytes of each entry; None where a file is none.

    Args:
        path: The file.

    Returns:
        Its entries. An archive that breaks off is listed as far as it goes.
    """
    kinds = {tarfile.DIRTYPE: "directory", tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "hard link"}
    found: list[tuple[str, str, int]] = []
    try:
        with tarfile.open(path) as archive:
            for entry in archive:
                kind = "file" if entry.isreg() else kinds.get(entry.type, "other")
                found.append((entry.name, kind, len(entry.linkname) if kind == "link" else entry.size))
    except (OSError, tarfile.TarError, EOFError, ValueError):
        return found or None
    return found


def tree_of(found: Iterable[tuple[str, str, int]]) -> Tree:
    """Return the bytes of entries that are given as path, kind and bytes.

    Args:
        found: The entries; a file that comes twice counts once.
    """
    layer = _Layer()
    for path, kind, size in found:
        layer.add(path, kind, size)
    return layer.tree()


def _on_disk(entry: tuple[str, int]) -> int:
    kind, size = entry
    if kind == "directory":
        return _DIRECTORY_BYTES
    if kind == "file" or (kind == "link" and size > _FAST_LINK_BYTES):
        return in_blocks(size)
    return 0


def _absolute(path: str) -> str:
    """Return a path in an image without anything doubled in it."""
    return os.path.normpath("/" + path.lstrip("/"))


def _cleaned(source: str) -> str:
    """Return a source as a path below the context; nothing for the context itself."""
    normal = _absolute(source).lstrip("/")
    return "" if normal == "." else normal


def _matches(pattern: str, path: str) -> bool:
    """Tell whether a path is what a source names; wildcards never cross a ``/``."""
    if not _WILD.search(pattern):
        return path == pattern
    parts, names = pattern.split("/"), path.split("/")
    return len(parts) == len(names) and all(
        _component(part).fullmatch(name) for part, name in zip(parts, names, strict=True)
    )


def _component(pattern: str) -> re.Pattern[str]:
    """Return one name of a pattern as a regular expression."""
    made, at = "", 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            made += "[^/]*"
        elif character == "?":
            made += "[^/]"
        elif character == "\\" and at < len(pattern):
            made += re.escape(pattern[at])
            at += 1
        elif character == "[" and (end := pattern.find("]", at + 1)) > 0:
            inside = pattern[at:end].replace("\\", "\\\\")
            made += f"[{'^' + inside[1:] if inside.startswith('^') else inside}]"
            at = end + 1
        else:
            made += re.escape(character)
    return re.compile(made)


def _followed(link: Entry, files: ContextFiles) -> int | None:
    """Return the bytes of the file that a link in a context leads to; None where it leads to none in it."""
    target = os.readlink(link.actual)  # noqa: PTH115 - text as it is
    above = os.path.dirname(link.path)  # noqa: PTH120 - a path in a context
    wanted = os.path.normpath(target.lstrip("/") if target.startswith("/") else f"{above}/{target}").lstrip("/")
    return next((entry.size_bytes for entry in files.entries if entry.path == wanted and entry.kind == "file"), None)
