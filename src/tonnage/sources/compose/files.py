"""The door to the files that a stack is read from: those of this machine, or of another one."""

from __future__ import annotations

import errno
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tonnage.small_files import UnfitFileError, is_below, read_bytes, real_path

if TYPE_CHECKING:
    from tonnage.small_files import FileKind

_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


class Files(Protocol):
    """Files of one machine, by absolute paths."""

    def read(self, path: str, what: FileKind, *, piped: bool = False) -> bytes:
        """Return what a file holds.

        Args:
            piped: The user typed the path, and may mean a pipe that this process was given.

        Raises:
            OSError: It is not there, cannot be read, or is none that is read as this; ``strerror`` says why.
        """

    def kind(self, path: str) -> str:
        """Return what is there: ``file``, ``directory``, ``other``, or an empty text when there is nothing.

        Raises:
            OSError: It may not be looked at.
        """


class FilesHere:
    """Files of this machine."""

    def read(self, path: str, what: FileKind, *, piped: bool = False) -> bytes:
        """Return what a file holds."""
        return read_bytes(path, what, piped=piped)

    def kind(self, path: str) -> str:
        """Return what is there."""
        try:
            mode = Path(path).stat().st_mode
        except ValueError:  # no file can have such a name
            return ""
        except OSError as error:
            if error.errno in _NOT_THERE:
                return ""
            raise
        return "file" if stat.S_ISREG(mode) else "directory" if stat.S_ISDIR(mode) else "other"


class RememberedFiles:
    """Files of a machine, with what was read of them."""

    def __init__(self, inner: Files) -> None:
        self._inner = inner
        self.contents: list[bytes] = []

    def read(self, path: str, what: FileKind, *, piped: bool = False) -> bytes:
        """Return what a file holds."""
        content = self._inner.read(path, what, piped=piped)
        self.contents.append(content)
        return content

    def kind(self, path: str) -> str:
        """Return what is there."""
        return self._inner.kind(path)


class FilesWithin(FilesHere):
    """Files of this machine below a directory; what really lies outside of it is not read, links included.

    Args:
        root: The directory.

    Raises:
        OSError: The directory is not there.
    """

    def __init__(self, root: str) -> None:
        self._typed = root.rstrip("/") or "/"
        self._root = real_path(root)

    def read(self, path: str, what: FileKind, *, piped: bool = False) -> bytes:
        """Return what a file holds; one that lies outside is an ``UnfitFileError``."""
        return read_bytes(path, what, within=self._root, piped=piped)

    def kind(self, path: str) -> str:
        """Return what is there: nothing outside; a link that leads there is a file, which reading refuses."""
        if not is_below(path, self._typed) and not is_below(path, self._root):
            return ""
        try:
            inside = is_below(real_path(path), self._root)
        except UnfitFileError:
            return ""
        except OSError as error:
            if error.errno in _NOT_THERE:
                return ""
            raise
        return super().kind(path) if inside else "file"


class FilesSeen:
    """Other files, and the paths of those that were read.

    Args:
        files: Those files.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self.paths: list[str] = []

    def read(self, path: str, what: FileKind, *, piped: bool = False) -> bytes:
        """Return what a file holds."""
        self.paths.append(path)
        return self._files.read(path, what, piped=piped)

    def kind(self, path: str) -> str:
        """Return what is there."""
        return self._files.kind(path)


class FilesThatMayLack:
    """Other files, of which some may be missing: these are empty, and noted.

    Args:
        files: Those files.
        kind: Which may be missing.
    """

    def __init__(self, files: Files, kind: FileKind) -> None:
        self._files = files
        self._lacking = kind
        self.missing: list[str] = []

    def read(self, path: str, what: FileKind, *, piped: bool = False) -> bytes:
        """Return what a file holds; nothing where it may be missing and is."""
        try:
            return self._files.read(path, what, piped=piped)
        except (FileNotFoundError, NotADirectoryError):
            if what is not self._lacking:
                raise
            self.missing.append(path)
            return b""

    def kind(self, path: str) -> str:
        """Return what is there."""
        return self._files.kind(path)


HERE = FilesHere()
