"""The files of a directory that a builder may read, and which of them a ``COPY`` names.

Public:
    ``open_context(spec) -> ContextFiles | None``: the context of a build; None where it is an address.
    ``ContextFiles(directory, rules, place="")``: a directory, walked once when it is first needed.
    ``named_by(source, files)``: what one source of an instruction names; ``is_pattern(source)``.

Source: docs.docker.com/reference/dockerfile (COPY), Go's ``path/filepath.Match``.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import sys
from bisect import bisect_left
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tonnage.adapters.context.descent import Descent
from tonnage.adapters.context.entries import IgnoreRules, directories
from tonnage.adapters.context.inputs_digest import is_remote, rules_of
from tonnage.lazily import regex
from tonnage.small_files import open_in, read_bytes_in
from tonnage.sources.dockerfile.patterns import name_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.model.stack import BuildSpec
    from tonnage.small_files import FileKind
    from tonnage.sources.dockerfile.patterns import Matcher

_WILD = regex(r"[*?\[\\]")
_MOST_LINKS = 40
_ENCODED_AT_ONCE = 10_000
_STAMP = struct.Struct("<QqqQQ")


class ContextEntry(Struct, frozen=True, gc=False):
    """One file, link or directory below a context.

    Args:
        path: Its path below the context, with ``/``.
        size_bytes: The bytes of a file, or of a link's text.
        kind: file, link or directory.
        root: The context's directory on this machine; empty for what only has a name.
        mode: Its permissions.
        target: Where a link leads to.
        stamp: Of a file its bytes, when it was changed, and its number, by which it is known again; empty for others.
        perhaps: Only newer clients send it to the builder.
    """

    path: str
    size_bytes: int
    kind: str
    root: str
    mode: int = 0
    target: str = ""
    stamp: bytes = b""
    perhaps: bool = False

    @property
    def actual(self) -> str:
        """Where it lies on this machine, for messages and as its identity: it is read by its path in the context."""
        return f"{self.root}/{self.path}" if self.root and self.path else self.root

    @property
    def changed_ns(self) -> int:
        """When its content or anything else of it last changed, nanoseconds since the epoch."""
        _, modified_ns, changed_ns, *_ = _STAMP.unpack(self.stamp)
        return int(max(modified_ns, changed_ns))


class ContextFiles:
    """The files of a directory that a builder may read.

    Args:
        place: Where the user wrote the directory, for messages.
    """

    def __init__(self, directory: str, rules: IgnoreRules | None = None, place: str = "") -> None:
        self._directory = directory
        self._rules = rules or IgnoreRules()
        self._place = place
        self._entries: tuple[ContextEntry, ...] | None = None
        self._fingerprint: str | None = None
        self._largest_bytes = self._changed_ns = 0
        self._by_path: dict[str, ContextEntry] = {}
        self._sorted: tuple[list[str], list[int]] | None = None
        self._resolved: dict[str, str] = {}
        self._named: tuple[str, dict[str, ContextEntry]] = ("", {})

    @property
    def directory(self) -> str:
        """Where it lies on this machine."""
        return self._directory

    @property
    def entries(self) -> tuple[ContextEntry, ...]:
        """Everything in it, in a fixed order.

        Raises:
            UsageError: Something that counts cannot be read.
        """
        if self._entries is None:
            found = tuple(self._walk())
            self._by_path = {entry.path: entry for entry in found}
            self._entries = found
        return self._entries

    @property
    def largest_bytes(self) -> int:
        """The size of the largest file in it, in bytes."""
        _ = self.entries
        return self._largest_bytes

    @property
    def changed_ns(self) -> int:
        """When one of its files last changed, nanoseconds since the epoch; 0 without any."""
        _ = self.entries
        return self._changed_ns

    @property
    def fingerprint(self) -> str:
        """What tells it from itself at any other time, by what the filesystem says; empty where a name is no text."""
        if self._fingerprint is None:
            digest = hashlib.sha256(b"%d\0" % self.whole.mode)
            encode = msgspec.msgpack.Encoder().encode
            try:
                for first in range(0, len(self.entries), _ENCODED_AT_ONCE):
                    digest.update(encode(self.entries[first : first + _ENCODED_AT_ONCE]))
                self._fingerprint = digest.hexdigest()
            except UnicodeEncodeError:
                self._fingerprint = ""
        return self._fingerprint

    def entry(self, path: str) -> ContextEntry | None:
        """Return what lies at a path in it, links of directories on the way followed within it.

        Raises:
            UsageError: Something that counts cannot be read.
        """
        _ = self.entries
        directory, _, name = path.rpartition("/")
        resolved = self._resolved.get(directory)
        if resolved is None:
            resolved = self._resolved[directory] = self._without_links(directory)
        directory = resolved
        return self._by_path.get(f"{directory}/{name}" if directory else name)

    def read(self, entry: ContextEntry, kind: FileKind, way: Descent | None = None) -> bytes:
        """Return what a file in it holds.

        Args:
            way: Whoever reads many files keeps it between them (``descent``).

        Raises:
            OSError: It cannot be read, or is larger than its kind may be.
        """
        if way is not None:
            return way.read_bytes(entry.path, kind)
        return read_bytes_in(self._directory, entry.path, kind)

    def descent(self) -> Descent:
        """Return the way to files in it for one who reads many, in their order."""
        return Descent(self._directory)

    def open(self, entry: ContextEntry) -> int:
        """Open a file in it.

        Raises:
            OSError: It cannot be read.
        """
        return open_in(self._directory, entry.path)

    @property
    def whole(self) -> ContextEntry:
        """The directory itself."""
        try:
            mode = stat.S_IMODE(os.stat(self._directory).st_mode)  # noqa: PTH116 - a path as text
        except OSError:
            mode = 0
        return ContextEntry("", 0, "directory", self._directory, mode)

    def below(self, root: str) -> Iterator[tuple[str, ContextEntry]]:
        """Return what lies in a directory of it, each with its path below that directory."""
        start = f"{root}/" if root else ""
        for entry in self.beginning_with(start):
            inside = entry.path[len(start) :]
            if inside:
                yield inside, entry

    def beginning_with(self, start: str) -> Sequence[ContextEntry]:
        """Return the entries whose paths begin with some characters, in the order of all entries."""
        everything = self.entries
        if not start:
            return everything
        if self._sorted is None:
            order = sorted(range(len(everything)), key=lambda place: everything[place].path)
            self._sorted = ([everything[place].path for place in order], order)
        paths, order = self._sorted
        first = bisect_left(paths, start)
        # No character of a path is above this one.
        last = bisect_left(paths, f"{start}{chr(sys.maxunicode)}", first)
        return [everything[place] for place in sorted(order[first:last])]

    def named_by(self, pattern: str) -> dict[str, ContextEntry]:
        """Return what a cleaned source of an instruction names, by path: of a directory only itself."""
        known, found = self._named
        if known != pattern:
            found = self._look_up(pattern)
            # It is asked for twice, what is brought and what tells it from others.
            self._named = (pattern, found)
        return found

    def _look_up(self, pattern: str) -> dict[str, ContextEntry]:
        if is_pattern(pattern):
            names = [name_pattern(name) for name in pattern.split("/")]
            near = self.beginning_with(_WILD.split(pattern, 1)[0])
            matched = {entry.path: entry for entry in near if _matches(names, entry.path)}
        else:
            found = self.entry(pattern)
            matched = {} if found is None else {found.path: found}
        if not matched and self.beginning_with(f"{pattern}/"):
            # The directory itself is left out, but something in it is taken back.
            return {pattern: ContextEntry(pattern, 0, "directory", "")}
        return matched

    def followed(self, link: ContextEntry) -> ContextEntry | None:
        """Return the file that a link in it leads to; None where it leads to none in it."""
        found = self._by_path.get(self._without_links(link.path))
        return found if found is not None and found.kind == "file" else None

    def directory_of(self, entry: ContextEntry) -> str | None:
        """Return the path of a directory in it, or of one that a link in it leads to; None for everything else."""
        path = self._without_links(entry.path) if entry.kind == "link" else entry.path
        found = self._by_path.get(path)
        return path if found is not None and found.kind == "directory" else None

    def _without_links(self, path: str) -> str:
        """Return where a path leads to within the directory, as a builder sees it; links in a circle lead nowhere."""
        names = [name for name in reversed(path.split("/")) if name not in {"", "."}]
        done: list[str] = []
        followed = 0
        while names:
            name = names.pop()
            if name == "..":
                done[-1:] = []
                continue
            done.append(name)
            entry = self._by_path.get("/".join(done))
            if entry is None or entry.kind != "link":
                continue
            followed += 1
            if followed > _MOST_LINKS:
                return "\0"
            done = [] if entry.target.startswith("/") else done[:-1]
            names += [each for each in reversed(entry.target.split("/")) if each not in {"", "."}]
        return "/".join(done)

    def _walk(self) -> Iterator[ContextEntry]:
        root, pack = self._directory, _STAMP.pack
        largest_bytes = newest_ns = 0
        for directory, perhaps, found in directories(root, self._rules, self._place):
            for path, entry in found:
                try:
                    seen = entry.stat(follow_symlinks=False)
                    kind = stat.S_IFMT(seen.st_mode)
                    target = os.readlink(entry.name, dir_fd=directory) if kind == stat.S_IFLNK else ""
                except OSError:  # It went away meanwhile, or became something else.
                    continue
                size_bytes, mode = seen.st_size, stat.S_IMODE(seen.st_mode)
                if kind == stat.S_IFREG:
                    modified_ns, changed_ns = seen.st_mtime_ns, seen.st_ctime_ns
                    stamp = pack(size_bytes, modified_ns, changed_ns, seen.st_ino, seen.st_dev)
                    if size_bytes > largest_bytes:  # noqa: PLR1730 - a call less for each file
                        largest_bytes = size_bytes
                    if changed_ns > newest_ns or modified_ns > newest_ns:
                        newest_ns = max(modified_ns, changed_ns)
                    yield ContextEntry(path, size_bytes, "file", root, mode, "", stamp, perhaps)
                elif kind == stat.S_IFDIR:
                    yield ContextEntry(path, 0, "directory", root, mode, perhaps=perhaps)
                elif kind == stat.S_IFLNK:
                    yield ContextEntry(path, size_bytes, "link", root, target=target, perhaps=perhaps)
        self._largest_bytes, self._changed_ns = largest_bytes, newest_ns


def open_context(spec: BuildSpec) -> ContextFiles | None:
    """Return the context of a build; None where it is an address.

    Returns:
        Its files, which are walked when they are first needed.

    Raises:
        UsageError: Its ``.dockerignore`` cannot be read.
    """
    if is_remote(spec.context):
        return None
    return ContextFiles(spec.context, rules_of(spec), str(spec.place or ""))


def named_by(source: str, files: ContextFiles) -> dict[str, ContextEntry]:
    """Return what one source names, by path: of a directory only itself."""
    pattern = _cleaned(source)
    if not pattern:
        return {"": files.whole}
    return files.named_by(pattern)


def is_pattern(source: str) -> bool:
    """Return whether a source has a wildcard in it."""
    return _WILD.search(source) is not None


def _cleaned(source: str) -> str:
    """Return a source as a path below the context; nothing for the context itself."""
    normal = os.path.normpath("/" + source.lstrip("/")).lstrip("/")
    return "" if normal == "." else normal


def _matches(pattern: Sequence[Matcher], path: str) -> bool:
    """Tell whether a path is what a source names; wildcards never cross a ``/``."""
    if path.count("/") != len(pattern) - 1:
        return False
    return all(part.fullmatch(name) for part, name in zip(pattern, path.split("/"), strict=True))
