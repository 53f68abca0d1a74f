"""Files and directories that Tonnage makes: written whole or not at all, and never where somebody else pointed to.

What only its owner may know belongs to this user, to root or to the user of ``sudo``, and nobody else may write to it
or put something in its place: anything else is refused. Modes never depend on the umask.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.directory_walk import (
    DIRECTORY,
    directory_of,
    give,
    link_error,
    others_may_write,
    overflow_user,
    todo,
    trusted_users,
    user,
)
from tonnage.errors import UsageError
from tonnage.small_files import read_bytes, read_held

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tonnage.small_files import FileKind

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# What a directory of ours holds, whichever it is: one with anything else in it serves other things too.
_OURS = frozenset({"forecast", "programs.json", "checksums.json", "journal.sqlite", "journal.sqlite-journal"})
_BESIDE = ".tonnage-"
_TEMPORARY = "tonnage-now-"
_LONGEST_PLACE = 60
"""Bytes of a directory in which one of ours may hold a socket: a path of those has 107 at most (``unix(7)``)."""
# Names of files that this process was given open. Source: proc(5), and fd(4) of the BSDs.
_OPEN_FILES = ("/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/self/fd/")


def private_directory(path: Path, *, ours: bool = False, instead: str = "") -> None:
    """Make a directory for its owner only (0700), with those above it, where they are missing.

    One that is there is taken when nobody else can have put anything into it; what others may only read is closed.

    Args:
        ours: It holds nothing of others: it lies below one of ours. Else its content tells.
        instead: What else the user can do when it is refused, as a sentence.

    Raises:
        UsageError: It is a link, another user owns it or may write to it, or may replace it.
        OSError: It cannot be made.
    """
    with directory_of(path, make=0o700, alone=True, instead=instead) as (above, name):
        try:
            os.mkdir(name, 0o700, dir_fd=above)
        except FileExistsError:
            _refuse_link(path, name, above, instead)
            made = os.open(name, DIRECTORY, dir_fd=above)
        else:
            made = os.open(name, DIRECTORY, dir_fd=above)
            os.fchmod(made, 0o700)
            give(made, above)
        try:
            _refuse_of_others(path, os.fstat(made), instead)
            _close_to_others(made, ours=ours)
        finally:
            os.close(made)


def check_private_directory(path: Path, *, instead: str = "") -> None:
    """Refuse what :func:`private_directory` would refuse; make nothing, and say nothing where it is missing.

    Raises:
        UsageError: It is a link, another user owns it or may write to it, or may replace it.
    """
    with contextlib.suppress(OSError), directory_of(path, alone=True, instead=instead) as (above, name):
        _refuse_link(path, name, above, instead)
        there = os.open(name, DIRECTORY, dir_fd=above)
        try:
            _refuse_of_others(path, os.fstat(there), instead)
            _close_to_others(there, ours=False)
        finally:
            os.close(there)


def private_file(path: Path, *, instead: str = "") -> None:
    """Make an empty file (0600) where there is none, and let nobody else read the one that is there.

    Raises:
        UsageError: It is a link, or another user owns it or may write to it.
        OSError: It cannot be made or changed.
    """
    with directory_of(path) as (above, name):
        try:
            made = os.open(name, _NEW, 0o600, dir_fd=above)
        except FileExistsError:
            check_private_file(path, instead=instead)
            made = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
        else:
            give(made, above)
        try:
            if stat.S_IMODE(os.fstat(made).st_mode) != 0o600:  # noqa: PLR2004 - the mode itself
                os.fchmod(made, 0o600)
        finally:
            os.close(made)


def check_private_file(path: Path, *, instead: str = "") -> None:
    """Refuse a file that another user owns or may write to; say nothing where it is missing.

    Raises:
        UsageError: It is such a file, or a link.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), directory_of(path) as (above, name):
        _refuse_link(path, name, above, instead)
        _refuse_of_others(path, os.stat(name, dir_fd=above, follow_symlinks=False), instead)


class TemporaryDirectory:
    """A directory (0700) that goes with its ``with`` block; :func:`sweep` takes it when its process is killed.

    It is locked as long as its process lives, so that everyone sees whether it still does.

    Args:
        place: Where it is made.

    Raises:
        OSError: It cannot be made there.
    """

    def __init__(self, kind: str, place: Path) -> None:
        import tempfile  # noqa: PLC0415 - only where something is started

        while True:
            self.name = tempfile.mkdtemp(prefix=f"{_TEMPORARY}{kind}-", dir=place)
            with contextlib.suppress(FileNotFoundError):
                self._held = os.open(self.name, DIRECTORY)
                fcntl.flock(self._held, fcntl.LOCK_EX)
                if _is_at(self._held, self.name):
                    return
                # It was swept before it was locked.
                os.close(self._held)

    def __enter__(self) -> str:
        """Return its path."""
        return self.name

    def __exit__(self, *_: object) -> None:
        """Remove it."""
        self.cleanup()

    def cleanup(self) -> None:
        """Remove it with all that it holds."""
        import shutil  # noqa: PLC0415 - as above

        shutil.rmtree(self.name, ignore_errors=True)
        os.close(self._held)


def temporary_directory(kind: str, *, for_socket: bool = False) -> TemporaryDirectory:
    """Make a directory that goes with its ``with`` block, where nobody else can put another in its place.

    Args:
        kind: What it is for, as one word.
        for_socket: A socket will lie in it, whose path the kernel limits.

    Returns:
        The directory, in the usual place if that is good for it; there too where no other is good either.
    """
    places = [each for each in _temporary_places() if not for_socket or len(os.fsencode(each)) <= _LONGEST_PLACE]
    for place in places:
        with contextlib.suppress(OSError, UsageError):
            with directory_of(place / kind, alone=True):
                pass
            return TemporaryDirectory(kind, place)
    return TemporaryDirectory(kind, places[0])


def sweep() -> None:
    """Remove the temporary directories of this user's processes that were killed."""
    for place in _temporary_places():
        sweep_below(place)


def sweep_below(place: Path) -> None:
    """Remove those of them that lie in one directory."""
    import shutil  # noqa: PLC0415 - only where something is started

    with contextlib.suppress(OSError):
        for entry in list(os.scandir(place)):
            if not entry.name.startswith(_TEMPORARY) or not entry.is_dir(follow_symlinks=False):
                continue
            with contextlib.suppress(OSError):
                held = os.open(entry.path, DIRECTORY)
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if os.fstat(held).st_uid == os.geteuid() and _is_at(held, entry.path):
                        shutil.rmtree(entry.path, ignore_errors=True)
                finally:
                    os.close(held)


def _is_at(held: int, path: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(held), Path(path).lstat())
    return False


def _temporary_places() -> list[Path]:
    import tempfile  # noqa: PLC0415 - only where something is started

    usual = tempfile.gettempdir()
    return [Path(each) for each in (usual, f"/run/user/{os.geteuid()}", "/var/tmp", "/dev/shm")]  # noqa: S108 - looked at first


def write_whole(
    path: Path,
    content: bytes,
    *,
    mode: int = 0o600,
    keep_mode: bool = False,
    within: Path | None = None,
    project: Iterable[Path] = (),
    modified_s: float | None = None,
) -> None:
    """Write a file whole or not at all: under a random name beside it first.

    Args:
        mode: Its permissions.
        keep_mode: Those of a file that is there stay, and its owner.
        within: A directory, without links in its path, below which no link is followed; what is missing there is made.
        project: Directories of files that may be a stranger's.
        modified_s: When it shall have been changed, in seconds since the epoch.

    Raises:
        UsageError: It is a link, or lies behind one that is not followed.
        FileExistsError: It is there, and is no file.
        OSError: It cannot be written.
    """
    make = 0o755 if within is not None else None
    with directory_of(path, make=make, within=within, project=project) as (above, name):
        _refuse_link(path, name, above)
        there = None
        with contextlib.suppress(FileNotFoundError):
            there = os.stat(name, dir_fd=above, follow_symlinks=False)
        if there is not None and not stat.S_ISREG(there.st_mode):
            raise FileExistsError(errno.EEXIST, "It is there, and is not a file", str(path))
        beside = f"{_BESIDE}{os.urandom(8).hex()}"
        made = os.open(beside, _NEW, 0o600, dir_fd=above)
        try:
            with open(made, "wb") as file:  # noqa: PTH123 - a descriptor
                file.write(content)
                file.flush()
                if there is not None and keep_mode:
                    mode = there.st_mode & 0o777
                    if os.geteuid() == 0:
                        os.fchown(made, there.st_uid, there.st_gid)
                else:
                    give(made, above)
                os.fchmod(made, mode)
                if modified_s is not None:
                    os.utime(made, (modified_s, modified_s))
            os.rename(beside, name, src_dir_fd=above, dst_dir_fd=above)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside, dir_fd=above)
            raise


def open_stream(path: Path, *, append: bool = False, project: Iterable[Path] = ()) -> int:
    """Open a file that is written bit by bit where the user said so: anew, or behind what it holds.

    Args:
        path: A file, which need not exist, or a device or pipe such as ``/dev/stdout``.
        project: Directories of files that may be a stranger's.

    Returns:
        Its descriptor.

    Raises:
        UsageError: It is a link, lies behind one that is not followed, or may be somebody else's.
        OSError: It cannot be written.
    """
    if str(path).startswith(_OPEN_FILES):
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    with directory_of(path, project=project) as (above, name):
        with contextlib.suppress(FileExistsError):
            made = os.open(name, _NEW | os.O_APPEND, 0o600, dir_fd=above)
            os.fchmod(made, 0o600)
            give(made, above)
            return made
        _refuse_link(path, name, above)
        there = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
        try:
            found = os.fstat(there)
            if stat.S_ISREG(found.st_mode):
                _refuse_to_stream(path, found, os.fstat(above))
                if not append:
                    os.ftruncate(there, 0)
        except BaseException:
            os.close(there)
            raise
        return there


def read_own(
    path: Path, kind: FileKind, *, private: bool = False, within: Path | None = None, project: Iterable[Path] = ()
) -> bytes:
    """Read a file that Tonnage wrote.

    Args:
        private: It decides what is done: nobody else may own it or write to it. It may be a pipe that was given open.
        within: A directory, without links in its path, below which no link is followed.
        project: Directories of files that may be a stranger's.

    Returns:
        Its content.

    Raises:
        UsageError: It is a link, lies behind one that is not followed, or may be somebody else's.
        UnfitFileError: It is no file, or is larger than its kind may be.
        OSError: It cannot be read.
    """
    if private and str(path).startswith(_OPEN_FILES):
        return read_bytes(path, kind, piped=True)
    with directory_of(path, within=within, project=project) as (above, name):
        _refuse_link(path, name, above)
        held = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
    try:
        found = os.fstat(held)
        if private and stat.S_ISREG(found.st_mode):
            _refuse_of_others(path, found, "Or make one of your own.")
        return read_held(held, str(path), kind)
    finally:
        os.close(held)


def _refuse_link(path: Path, name: str, above: int, instead: str = "") -> None:
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISLNK(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
            raise link_error(path, str(path), instead)


def _refuse_of_others(path: Path, found: os.stat_result, instead: str) -> None:
    """Refuse what another user owns or may write to."""
    named = shlex.quote(str(path))
    if found.st_uid not in trusted_users():
        why = f"It belongs to {user(found.st_uid)}, who can have put anything there."
        if found.st_uid == overflow_user():
            why += " That is also the owner of what a network filesystem or a user namespace does not map."
        text = f"When its content is yours, take it over:\n  chown -R {os.geteuid()} {named}"
        raise UsageError(f"{path} is not used", why=why, todo=todo(text, instead))
    if others_may_write(found):
        raise UsageError(
            f"{path} is not used",
            why=f"Others may write to it: its mode is {stat.S_IMODE(found.st_mode):04o}.",
            todo=todo(f"When its content is yours, close it to others:\n  chmod go-w {named}", instead),
        )


def _refuse_to_stream(path: Path, found: os.stat_result, above: os.stat_result) -> None:
    """Refuse to write into a file that another user can have put there to be written, or to be read by them."""
    why = ""
    if found.st_uid not in trusted_users() and others_may_write(above):
        why = f"It belongs to {user(found.st_uid)}, and others may write to its directory."
    elif found.st_nlink > 1:
        why = "The file has further names, and would change under them too."
    if why:
        text = f"Name another file, or remove it:\n  rm {shlex.quote(str(path))}"
        raise UsageError(f"{path} is not written", why=why, todo=text)


def _close_to_others(directory: int, *, ours: bool) -> None:
    """Take the rights of others off a directory of ours, as earlier versions left it; never off one of other things."""
    found = os.fstat(directory)
    if not found.st_mode & 0o077 or os.geteuid() not in {0, found.st_uid}:
        return
    if ours or all(name in _OURS or name.startswith(_BESIDE) for name in os.listdir(directory)):
        os.fchmod(directory, 0o700)
