"""Files of one directory that is sent to a builder, taken one after the other, by the rules of ``small_files``."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from tonnage.small_files import (
    ITS_PLACES,
    READ,
    close_all,
    content_of,
    devices_of_the_kernel,
    find_in,
    path_of,
    take_hold,
)

if TYPE_CHECKING:
    from typing import Self

    from tonnage.small_files import FileKind

_MOST_HELD = 16
_NO_NAMES = frozenset({"", ".", ".."})


class Descent:
    """Files of one directory, taken one after the other in the order of their directories.

    The nearest directories stay open, so that a deep tree is not walked from its top for each file. Links are followed
    as for ``read_bytes_in``. Not for several threads.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._held: list[tuple[str, int]] = []
        self._special: bool | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close what is open."""
        close_all([handle for _, handle in self._held])
        self._held = []

    def read_bytes(self, path: str, kind: FileKind) -> bytes:
        """Return what a file holds.

        Raises:
            UnfitFileError: It is no regular file, or is larger than its kind may be.
            OSError: It is not there, or may not be read.
        """
        content = self._plain(path, kind)
        if content is not None:
            return content
        handle = self._find(path)
        try:
            return content_of(handle, f"{self._root}/{path}", kind, piped=False)
        finally:
            os.close(handle)

    def _plain(self, path: str, kind: FileKind) -> bytes | None:
        """Return what a plain file holds that stays as it is meanwhile, with half the calls; None for anything else.

        Nothing but a file is opened: to put a device into its place between two calls takes the rights to make one.
        """
        directory, _, name = path.rpartition("/")
        above = self._above(directory)
        if above is None or name in _NO_NAMES or self._may_be_of_the_kernel():
            return None
        try:
            found = os.stat(name, dir_fd=above, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode) or found.st_dev in devices_of_the_kernel():
                return None
            if found.st_size > kind.most_bytes:
                return None
            fd = os.open(name, READ | os.O_NOFOLLOW, dir_fd=above)
        except OSError:
            return None
        try:
            opened = os.fstat(fd)
            if (opened.st_dev, opened.st_ino, opened.st_size) != (found.st_dev, found.st_ino, found.st_size):
                return None
            # One byte more than there is tells that it has grown.
            content = os.read(fd, found.st_size + 1)
        finally:
            os.close(fd)
        return content if len(content) == found.st_size else None

    def _may_be_of_the_kernel(self) -> bool:
        """Return whether a file below may be one that the kernel makes up although its device does not say so."""
        if self._special is None:
            real = f"{path_of(self._held[0][1]).rstrip('/')}/"
            self._special = real == "/" or real.startswith(ITS_PLACES)
        return self._special

    def open_directory(self, path: str) -> int:
        """Open a directory.

        Raises:
            OSError: It is not there, is no directory, or may not be read.
        """
        above = self._above(path)
        handle = find_in(self._root, path) if above is None else above
        try:
            return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
        finally:
            if above is None:
                os.close(handle)

    def _find(self, path: str) -> int:
        directory, _, name = path.rpartition("/")
        above = self._above(directory)
        if above is not None and name not in _NO_NAMES:
            handle = take_hold(name, os.O_NOFOLLOW, above)
            if not stat.S_ISLNK(os.fstat(handle).st_mode):
                return handle
            os.close(handle)
        return find_in(self._root, path)

    def _above(self, directory: str) -> int | None:
        """Return the handle of a directory, which stays open; None where its path is not one of directories alone."""
        if not self._held:
            self._held.append(("", take_hold(self._root, os.O_DIRECTORY)))
        while (held := self._held[-1])[0] and directory != held[0] and not directory.startswith(f"{held[0]}/"):
            os.close(self._held.pop()[1])
        path, handle = held
        if path == directory:
            return handle
        for name in directory.removeprefix(f"{path}/").split("/"):
            if name in _NO_NAMES:
                return None
            try:
                handle = take_hold(name, os.O_NOFOLLOW | os.O_DIRECTORY, handle)
            except OSError:
                return None
            path = f"{path}/{name}" if path else name
            self._held.append((path, handle))
            if len(self._held) > _MOST_HELD:
                os.close(self._held.pop(1)[1])
        return handle
