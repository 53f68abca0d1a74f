"""The files of an image as they lie in its layers' directories, read without starting or mounting anything.

Source: the kernel's documentation of overlayfs: a whiteout is a character device 0/0; a directory with the attribute
``trusted.overlay.opaque`` hides what lies below it.
"""

from __future__ import annotations

import os
import posixpath
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LINKS = 40
_MOST_BYTES = 64 << 20


class MergedRoot:
    """One root made of directories.

    Args:
        layers: The directories of the layers on this machine, the topmost first.
    """

    def __init__(self, layers: Sequence[str]) -> None:
        self._layers = tuple(layers)

    @property
    def readable(self) -> bool:
        """Whether this user may look into every layer."""
        return bool(self._layers) and all(os.access(layer, os.R_OK | os.X_OK) for layer in self._layers)

    def read(self, path: str) -> str | None:
        """Return the text of a file; None where there is none that can be read.

        Args:
            path: Its path in the image; links are followed inside the image only.
        """
        found = self._found(path)
        if isinstance(found, str):
            try:
                if os.path.getsize(found) <= _MOST_BYTES:  # noqa: PTH202 - text as it is
                    with open(found, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - text as it is
                        return file.read()
            except OSError:
                return None
        return None

    def real_path(self, path: str) -> str | None:
        """Return the path in the image that a path leads to, links followed; None where there is nothing.

        Args:
            path: A path in the image.
        """
        return self._walk(path)[0]

    def names(self, path: str) -> tuple[str, ...]:
        """Return what lies in a directory, sorted; nothing where it is none.

        Args:
            path: Its path in the image.
        """
        found = self._found(path)
        return tuple(sorted(_names(found))) if isinstance(found, tuple) else ()

    def entries(self, path: str) -> Iterator[tuple[str, str, int]]:
        """Walk a path, as path below it, kind and bytes; a file alone has an empty path.

        Args:
            path: A path in the image.

        Yields:
            Each entry, nothing where there is nothing.
        """
        found = self._found(path)
        if isinstance(found, str):
            yield "", "file", os.stat(found).st_size  # noqa: PTH116 - text as it is
        elif isinstance(found, tuple):
            yield from _below(found, "")

    def _found(self, path: str) -> str | tuple[str, ...] | None:
        return self._walk(path)[1]

    def _walk(self, path: str) -> tuple[str | None, str | tuple[str, ...] | None]:
        """Return where a path ends: its real path, and the file or the directories that are merged there."""
        waiting = [part for part in path.split("/") if part and part != "."][::-1]
        at: list[str] = []
        stack: list[tuple[str, ...]] = [self._layers]
        links = 0
        while waiting:
            name = waiting.pop()
            if name == "..":
                if at:
                    at.pop()
                    stack.pop()
                continue
            found = _child(stack[-1], name)
            if found is None:
                return None, None
            if isinstance(found, tuple):
                at.append(name)
                stack.append(found)
                continue
            if os.path.islink(found):  # noqa: PTH114 - text as it is
                links += 1
                if links > _LINKS:
                    return None, None
                target = os.readlink(found)  # noqa: PTH115 - text as it is
                if target.startswith("/"):
                    at, stack = [], [self._layers]
                waiting += [part for part in target.split("/") if part and part != "."][::-1]
                continue
            return (None, None) if waiting else (posixpath.join("/", *at, name), found)
        return posixpath.join("/", *at), stack[-1]


def _child(merged: tuple[str, ...], name: str) -> str | tuple[str, ...] | None:
    """Return what a name is in merged directories: a file, further directories, or nothing."""
    directories: list[str] = []
    for above in merged:
        path = f"{above}/{name}"
        try:
            mode = os.lstat(path)
        except OSError:
            continue
        if stat.S_ISCHR(mode.st_mode) and mode.st_rdev == 0:
            break
        if not stat.S_ISDIR(mode.st_mode):
            if not directories:
                return path
            break
        directories.append(path)
        if _opaque(path):
            break
    return tuple(directories) or None


def _opaque(path: str) -> bool:
    try:
        return os.getxattr(path, "trusted.overlay.opaque", follow_symlinks=False) == b"y"
    except OSError:
        return False


def _names(merged: tuple[str, ...]) -> set[str]:
    names: set[str] = set()
    for directory in merged:
        try:
            names.update(os.listdir(directory))  # noqa: PTH208 - text as it is
        except OSError:
            continue
    return {name for name in names if _child(merged, name) is not None}


def _below(merged: tuple[str, ...], inside: str) -> Iterator[tuple[str, str, int]]:
    for name in sorted(_names(merged)):
        found = _child(merged, name)
        path = f"{inside}/{name}" if inside else name
        if isinstance(found, tuple):
            yield path, "directory", 0
            yield from _below(found, path)
        elif found is not None:
            seen = os.lstat(found)
            kind = "link" if stat.S_ISLNK(seen.st_mode) else "file" if stat.S_ISREG(seen.st_mode) else "other"
            yield path, kind, seen.st_size
