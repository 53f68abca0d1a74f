"""The one reader of small files: regular files only, and of each no more bytes than its kind may have.

No pipe, device or socket is opened, and nothing of ``/proc`` or ``/sys`` is read: what lies at a path is looked at
without opening it, and what is opened then is what was looked at, whatever the path leads to meanwhile. A path in a
directory that a builder is sent stays in it, as for the builder: absolute links count from that directory, and ``..``
ends there.

Source: open(2) (O_PATH), openat2(2) (RESOLVE_IN_ROOT), path_resolution(7), proc_pid_mountinfo(5).
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_HANDLE = os.O_PATH | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_PIECE_BYTES = 2**20
_MOST_LINKS = 40
"""As many as the kernel follows. Source: path_resolution(7)."""
_OF_THE_KERNEL = frozenset(
    {
        "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs", "fusectl", "mqueue",
        "nfsd", "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs",
    }
)  # fmt: skip
ITS_PLACES = ("/proc/", "/sys/")
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a link",
}


class FileKind(Struct, frozen=True):
    """What a file is read as: a name with its article, and how many bytes such a file may have."""

    name: str
    most_bytes: int


COMPOSE_FILE = FileKind("a compose file", 2_000_000)
VARIABLES = FileKind("a file of variables", 1_000_000)
DOCKERFILE = FileKind("a Dockerfile", 1_000_000)
IGNORED = FileKind("a .dockerignore", 1_000_000)
CONTEXT_TEXT = FileKind("a requirement file or a lock", 20_000_000)
SETTINGS = FileKind("a file of settings", 1_000_000)
WRITTEN_FOR_CI = FileKind("a workflow or script", 1_000_000)
MOUNTED = FileKind("a secret or config", 16_000_000)
DOCUMENT = FileKind("a document", 4_000_000)
MANIFEST = FileKind("a manifest", 16_000_000)
SNAPSHOTS = FileKind("a table of snapshots", 256_000_000)
RESOLVED = FileKind("an answer of the resolver", 16_000_000)
TOLD_BY_JOB = FileKind("a file of a job", 256_000_000)
PLAN = FileKind("a plan", 256_000_000)
WHEEL = FileKind("a wheel", 16_000_000_000)


class UnfitFileError(OSError):
    """Something lies there that is not read: ``strerror`` is a sentence that says why."""


def read_bytes(path: str | os.PathLike[str], kind: FileKind, *, within: str = "", piped: bool = False) -> bytes:
    """Return what a file holds.

    Args:
        within: A directory by its real path; what really lies outside of it is not read. Empty for no such limit.
        piped: The path was typed by the user, who may as well mean a pipe that this process was given.

    Raises:
        UnfitFileError: It is no regular file, is larger than its kind may be, or lies outside.
        OSError: It is not there, or may not be read.
    """
    handle = take_hold(path)
    try:
        if within and not is_below(path_of(handle), within):
            raise UnfitFileError(errno.EACCES, f"It is outside {within}", os.fspath(path))
        return content_of(handle, os.fspath(path), kind, piped=piped and _is_given(os.fspath(path)))
    finally:
        os.close(handle)


def read_held(handle: int, path: str, kind: FileKind) -> bytes:
    """Return what a file holds that somebody took hold of with ``O_PATH``; its path is for messages.

    Raises:
        UnfitFileError: It is no regular file, or is larger than its kind may be.
        OSError: It may not be read.
    """
    return content_of(handle, path, kind, piped=False)


def read_text(
    path: str | os.PathLike[str], kind: FileKind, *, errors: str = "strict", within: str = "", piped: bool = False
) -> str:
    """Return what a file holds as text, every end of a line the same.

    Raises:
        UnfitFileError: It is no regular file, is larger than its kind may be, or lies outside.
        OSError: It is not there, or may not be read.
        UnicodeDecodeError: It is no UTF-8, and ``errors`` is strict.
    """
    return as_text(read_bytes(path, kind, within=within, piped=piped), errors=errors)


def as_text(content: bytes, *, errors: str = "strict") -> str:
    """Return bytes as text, every end of a line the same."""
    return content.decode("utf-8", errors).replace("\r\n", "\n").replace("\r", "\n")


@contextmanager
def opened(path: str | os.PathLike[str], kind: FileKind) -> Iterator[str]:
    """Open a file for whoever takes nothing but a path: one that leads to what was looked at, as long as it is open.

    Raises:
        UnfitFileError: It is no regular file, or is larger than its kind may be.
        OSError: It is not there, or may not be read.
    """
    handle = take_hold(path)
    try:
        fd = _opened(handle, os.fspath(path), stat.S_ISREG)
    finally:
        os.close(handle)
    try:
        if os.fstat(fd).st_size > kind.most_bytes:
            raise too_large(os.fspath(path), kind)
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def read_bytes_in(root: str, path: str, kind: FileKind) -> bytes:
    """Return what a file in a directory holds; links are followed as if the directory were all that there is.

    Raises:
        UnfitFileError: It is no regular file, or is larger than its kind may be.
        OSError: It is not there, or may not be read.
    """
    handle = find_in(root, path)
    try:
        return content_of(handle, f"{root}/{path}", kind, piped=False)
    finally:
        os.close(handle)


def open_in(root: str, path: str) -> int:
    """Open a regular file of any size in a directory; links are followed as for ``read_bytes_in``.

    Raises:
        UnfitFileError: It is no regular file.
        OSError: It is not there, or may not be read.
    """
    handle = find_in(root, path)
    try:
        return _opened(handle, f"{root}/{path}", stat.S_ISREG)
    finally:
        os.close(handle)


def real_path(path: str | os.PathLike[str]) -> str:
    """Return where a path leads to, by the one path that has no link in it.

    Raises:
        OSError: It is not there, or may not be looked at.
    """
    handle = take_hold(path)
    try:
        return path_of(handle)
    finally:
        os.close(handle)


def too_large(path: str, kind: FileKind) -> UnfitFileError:
    """Return the failure of a file that is larger than its kind may be."""
    most = format_bytes(kind.most_bytes)
    return UnfitFileError(errno.EFBIG, f"It is larger than the {most} that {kind.name} may have", path)


def is_below(path: str, directory: str) -> bool:
    """Return whether a path is that of a directory, or of something in it; both are real paths."""
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")


def take_hold(path: str | os.PathLike[str], flags: int = 0, above: int | None = None) -> int:
    """Take hold of what lies at a path, without opening it.

    Raises:
        UnfitFileError: No file can have such a name.
        OSError: It is not there, or may not be looked at.
    """
    try:
        return os.open(path, _HANDLE | flags, dir_fd=above)
    except ValueError:  # a NUL, or half of a pair of surrogates
        raise UnfitFileError(errno.EINVAL, "No file can have such a name", os.fspath(path)) from None


def content_of(handle: int, path: str, kind: FileKind, *, piped: bool) -> bytes:
    """Read what a handle stands for.

    Raises:
        UnfitFileError: It is no regular file, or is larger than its kind may be.
        OSError: It may not be read.
    """
    fd = _opened(handle, path, _is_stream if piped else stat.S_ISREG)
    try:
        if piped:
            os.set_blocking(fd, True)
        pieces: list[bytes] = []
        read_bytes = 0
        # A buffer is taken whole before anything is read, so it is no larger than a small file.
        buffer_bytes = _PIECE_BYTES if piped else min(_PIECE_BYTES, max(4096, os.fstat(fd).st_size + 1))
        # One byte more than there may be tells that there is more, also of a file that grows meanwhile.
        while read_bytes <= kind.most_bytes:
            piece = os.read(fd, min(buffer_bytes, kind.most_bytes + 1 - read_bytes))
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
            read_bytes += len(piece)
    finally:
        os.close(fd)
    raise too_large(path, kind)


def _opened(handle: int, path: str, fits: Callable[[int], bool]) -> int:
    """Open what a handle stands for to be read, if it is of a kind that may be."""
    found = os.fstat(handle)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not fits(found.st_mode):
        what = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise UnfitFileError(errno.EINVAL, f"It is {what}, and only a file is read here", path)
    if stat.S_ISREG(found.st_mode) and (
        found.st_dev in devices_of_the_kernel() or path_of(handle).startswith(ITS_PLACES)
    ):
        raise UnfitFileError(errno.EINVAL, "It is not a regular file: the kernel generates its contents", path)
    try:
        return os.open(f"/proc/self/fd/{handle}", READ)
    except OSError as error:
        error.filename = path
        raise


def _is_stream(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _is_given(path: str) -> bool:
    """Return whether a path is that of a descriptor that this process was given, as for ``<(...)`` of a shell."""
    parts = path.split("/")
    return path == "/dev/stdin" or (parts[:3] == ["", "dev", "fd"] or parts[:4] == ["", "proc", "self", "fd"])


def path_of(handle: int) -> str:
    """Return where what a handle stands for lies."""
    return os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115 - text as it is


def find_in(root: str, path: str) -> int:
    """Return a handle of what a path in a directory leads to; nothing outside of the directory is looked at.

    Raises:
        NotADirectoryError: Something on the way is none.
        OSError: It is not there, or may not be looked at.
    """
    above = [take_hold(root, os.O_DIRECTORY)]
    names = _names(path)
    followed = 0
    try:
        while names:
            name = names.pop()
            if name == "..":
                if len(above) > 1:
                    os.close(above.pop())
                continue
            handle = take_hold(name, os.O_NOFOLLOW, above[-1])
            mode = os.fstat(handle).st_mode
            if stat.S_ISLNK(mode):
                target = os.readlink("", dir_fd=handle)
                os.close(handle)
                followed += 1
                if followed > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), f"{root}/{path}")
                while target.startswith("/") and len(above) > 1:
                    os.close(above.pop())
                names += _names(target)
                continue
            above.append(handle)
            if names and not stat.S_ISDIR(mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), f"{root}/{path}")
        return above.pop()
    finally:
        close_all(above)


def _names(path: str) -> list[str]:
    """Return the names of a path, the last one first."""
    return [name for name in reversed(path.split("/")) if name not in {"", "."}]


def close_all(handles: Collection[int]) -> None:
    """Close handles."""
    for handle in handles:
        os.close(handle)


@cache
def devices_of_the_kernel() -> frozenset[int]:
    """Return the devices of what is mounted here and holds no files of a disk."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:  # noqa: PTH123
            lines = table.read().splitlines()
    except OSError:
        return frozenset()
    found = set()
    for line in lines:
        mounted, _, source = line.partition(" - ")
        if source.split(" ")[0] in _OF_THE_KERNEL:
            major, _, minor = mounted.split(" ")[2].partition(":")
            found.add(os.makedev(int(major), int(minor)))
    return frozenset(found)
