"""The files of a directory that a builder may read, and which of them a ``COPY`` names.

Public:
    ``open_context(spec) -> ContextFiles | None``: the context of a build; None where it is an address.
    ``ContextFiles(directory, rules, place="")``: a directory, walked once when it is first needed.
    ``named_by(source, files)``: what one source of an instruction names; ``is_pattern(source)``.

Source: docs.docker.com/reference/dockerfile (COPY), Go's ``path/filepath.Match``.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters.context.entries import entries, read_rules
from tonnage.adapters.context.inputs_digest import ignored_text, is_remote
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.adapters.context.entries import IgnoreRule
    from tonnage.model.stack import BuildSpec

_WILD = regex(r"[*?\[\\]")


class ContextEntry(Struct, frozen=True):
    """One file, link or directory below a context.

    Args:
        path: Its path below the context, with ``/``.
        size_bytes: The bytes of a file, or of a link's text.
        kind: file, link or directory.
        actual: Where it lies on this machine.
        mode: Its permissions.
    """

    path: str
    size_bytes: int
    kind: str
    actual: str
    mode: int = 0


class ContextFiles:
    """The files of a directory that a builder may read.

    Args:
        place: Where the user wrote the directory, for messages.
    """

    def __init__(self, directory: str, rules: Sequence[IgnoreRule] = (), place: str = "") -> None:
        self._directory = directory
        self._rules = tuple(rules)
        self._place = place
        self._entries: tuple[ContextEntry, ...] | None = None

    @property
    def entries(self) -> tuple[ContextEntry, ...]:
        """Everything in it, in a fixed order.

        Raises:
            UsageError: Something that counts cannot be read.
        """
        if self._entries is None:
            self._entries = tuple(self._walk())
        return self._entries

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
        for entry in self.entries:
            inside = entry.path.removeprefix(start)
            if entry.path.startswith(start) and inside:
                yield inside, entry

    def followed(self, link: ContextEntry) -> ContextEntry | None:
        """Return the file that a link in it leads to; None where it leads to none in it."""
        target = os.readlink(link.actual)  # noqa: PTH115 - text as it is
        above = os.path.dirname(link.path)  # noqa: PTH120 - a path in a context
        wanted = os.path.normpath(target.lstrip("/") if target.startswith("/") else f"{above}/{target}").lstrip("/")
        return next((entry for entry in self.entries if entry.path == wanted and entry.kind == "file"), None)

    def _walk(self) -> Iterator[ContextEntry]:
        for path, found in entries(self._directory, self._rules, self._place):
            try:
                seen = found.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if found.is_symlink():
                yield ContextEntry(path, seen.st_size, "link", found.path)
            elif found.is_dir(follow_symlinks=False):
                yield ContextEntry(path, 0, "directory", found.path, stat.S_IMODE(seen.st_mode))
            elif found.is_file(follow_symlinks=False):
                yield ContextEntry(path, seen.st_size, "file", found.path, stat.S_IMODE(seen.st_mode))


def open_context(spec: BuildSpec) -> ContextFiles | None:
    """Return the context of a build; None where it is an address.

    Returns:
        Its files, which are walked when they are first needed.

    Raises:
        UsageError: Its ``.dockerignore`` cannot be read.
    """
    if is_remote(spec.context):
        return None
    return ContextFiles(spec.context, read_rules(ignored_text(spec)), str(spec.place or ""))


def named_by(source: str, files: ContextFiles) -> dict[str, ContextEntry]:
    """Return what one source names, by path: of a directory only itself."""
    pattern = _cleaned(source)
    if not pattern:
        return {"": files.whole}
    matched = {entry.path: entry for entry in files.entries if _matches(pattern, entry.path)}
    if not matched and any(entry.path.startswith(f"{pattern}/") for entry in files.entries):
        # The directory itself is left out, but something in it is taken back.
        return {pattern: ContextEntry(pattern, 0, "directory", "")}
    return matched


def is_pattern(source: str) -> bool:
    """Return whether a source has a wildcard in it."""
    return _WILD.search(source) is not None


def _cleaned(source: str) -> str:
    """Return a source as a path below the context; nothing for the context itself."""
    normal = os.path.normpath("/" + source.lstrip("/")).lstrip("/")
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
