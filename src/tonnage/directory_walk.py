"""The way to a file, walked from the root by directory descriptors: what was looked at cannot be swapped afterwards.

A link on the way is followed only where neither a stranger's files nor another user can have put it. Knows who is
trusted: this user, root, and the user of ``sudo``. Opens and makes directories, never files.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import stat
from collections import deque
from typing import TYPE_CHECKING

from tonnage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SEARCHED = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS = 40


@contextlib.contextmanager
def directory_of(
    path: Path,
    *,
    make: int | None = None,
    alone: bool = False,
    within: Path | None = None,
    project: Iterable[Path] = (),
    instead: str = "",
) -> Iterator[tuple[int, str]]:
    """Go to the directory that holds a file; give its descriptor and the file's name there.

    Args:
        path: The file; nothing is asked about it.
        make: The mode of directories that are missing; None to make none.
        alone: No other user may be able to replace one of the directories.
        within: Below this directory, in whose path are no links, no link is followed.
        project: Directories of files that may be a stranger's, besides the one that the user is in: likewise, unless it
            is a home directory.
        instead: What else the user can do when it is refused, as a sentence.

    Raises:
        UsageError: A link is not followed, or another user may replace a directory.
        OSError: There is no such directory.
    """
    walk = _Walk(path, make=make, alone=alone, within=within, project=project, instead=instead)
    try:
        yield walk.to_the_last()
    finally:
        walk.close()


class _Walk:
    """One walk; its arguments are those of :func:`directory_of`."""

    def __init__(
        self,
        path: Path,
        *,
        make: int | None,
        alone: bool,
        within: Path | None,
        project: Iterable[Path],
        instead: str,
    ) -> None:
        self._path, self._make, self._alone, self._instead = path, make, alone, instead
        self._within = os.stat(within) if within is not None else None  # noqa: PTH116 - as the others
        # What the user stands in is as a rule what they want to have looked at.
        self._project = [os.stat(each) for each in (os.curdir, *map(str, project)) if os.path.isdir(each)]  # noqa: PTH112, PTH116
        self._names = deque(_parts(os.path.join(os.getcwd(), path)))  # noqa: PTH109, PTH118 - links stay what they are
        self._fd = os.open("/", _SEARCHED)
        self._text = ""
        self._links = 0
        # Whether it came into files that may be a stranger's: certainly, or but for a home directory.
        self._inside = False
        self._perhaps: list[os.stat_result] = []

    def close(self) -> None:
        os.close(self._fd)

    def to_the_last(self) -> tuple[int, str]:
        while self._names:
            name = self._names.popleft()
            here = os.fstat(self._fd)
            self._look_at(here)
            if self._names:
                self._step(name, here)
            elif name != os.pardir:
                return self._fd, name
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self._path))

    def _look_at(self, here: os.stat_result) -> None:
        """Notice where files of strangers begin; refuse a directory in which anybody may replace what is in it."""
        if self._within is not None and os.path.samestat(here, self._within):
            self._inside = True
        if self._text and (_has(self._fd, ".git") or any(os.path.samestat(here, each) for each in self._project)):
            self._perhaps.append(here)
        if self._alone and others_may_write(here) and not here.st_mode & stat.S_ISVTX:
            place = self._text or "/"
            raise UsageError(
                f"{self._path} is not used",
                why=f"Others may write to {place}, and could put something else in its place.",
                todo=todo(f"Close that directory to others:\n  chmod go-w {shlex.quote(place)}", self._instead),
            )

    def _step(self, name: str, here: os.stat_result) -> None:
        """Go one directory down, or on where a link leads to."""
        found = self._found(name)
        if stat.S_ISLNK(found.st_mode):
            self._follow(name, found, here)
            return
        if self._alone and others_may_write(here) and found.st_uid not in trusted_users():
            raise UsageError(
                f"{self._path} is not used",
                why=f"{self._text}/{name} belongs to {user(found.st_uid)}, who could put something else in its place.",
                todo=todo("Name a directory of your own.", self._instead),
            )
        below = os.open(name, _SEARCHED, dir_fd=self._fd)
        os.close(self._fd)
        self._fd = below
        self._text += f"/{name}"

    def _found(self, name: str) -> os.stat_result:
        try:
            return os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            if self._make is None:
                raise
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, self._make, dir_fd=self._fd)
            made = os.open(name, DIRECTORY, dir_fd=self._fd)
            try:
                # The umask has no say.
                os.fchmod(made, self._make)
                give(made, self._fd)
            finally:
                os.close(made)
        return os.stat(name, dir_fd=self._fd, follow_symlinks=False)

    def _follow(self, name: str, found: os.stat_result, here: os.stat_result) -> None:
        self._links += 1
        if self._links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(self._path))
        if self._inside or any(not _is_home(each) for each in self._perhaps) or not _can_be_trusted(found, here):
            raise link_error(self._path, f"{self._text}/{name}", self._instead)
        target = os.readlink(name, dir_fd=self._fd)
        if target.startswith("/"):
            os.close(self._fd)
            self._fd = os.open("/", _SEARCHED)
            self._text = ""
            self._perhaps.clear()
        self._names.extendleft(reversed(_parts(target)))


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", os.curdir}]


def _has(directory: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError:
        return False
    return True


def _is_home(found: os.stat_result) -> bool:
    """Return whether this is the home directory that the system knows of a user, whatever ``HOME`` says."""
    import pwd  # noqa: PLC0415 - only where there is a link

    for each in trusted_users():
        with contextlib.suppress(KeyError, OSError):
            if os.path.samestat(found, os.stat(pwd.getpwuid(each).pw_dir)):  # noqa: PTH116
                return True
    return False


def _can_be_trusted(link: os.stat_result, directory: os.stat_result) -> bool:
    """Return whether nobody else can have put a link where it is."""
    users = trusted_users() | _not_mapped()
    if link.st_uid not in users or directory.st_uid not in users:
        return False
    return not others_may_write(directory) or bool(directory.st_mode & stat.S_ISVTX)


def overflow_user() -> int:
    """Return the number that stands for every user who has none here."""
    try:
        with open("/proc/sys/kernel/overflowuid", encoding="ascii") as told:  # noqa: PTH123
            return int(told.read())
    except (OSError, ValueError):
        return 65_534


def _not_mapped() -> frozenset[int]:
    """Return who stands for root in a namespace of users that does not map it, and its links of the system."""
    try:
        with open("/proc/self/uid_map", encoding="ascii") as told:  # noqa: PTH123
            everybody = told.read().split() == ["0", "0", str(2**32 - 1)]
    except OSError:
        everybody = True
    return frozenset() if everybody else frozenset({overflow_user()})


def trusted_users() -> frozenset[int]:
    """Return this user and root; for root, also who used ``sudo`` to become it."""
    here = os.geteuid()
    behind = os.environ.get("SUDO_UID", "") if here == 0 else ""
    return frozenset({0, here, int(behind)} if behind.isascii() and behind.isdecimal() else {0, here})


def others_may_write(found: os.stat_result) -> bool:
    """Return whether another user may write: anybody, or a group that is not the owner's alone."""
    if found.st_mode & stat.S_IWOTH:
        return True
    return bool(found.st_mode & stat.S_IWGRP) and not _is_of_one(found.st_gid, found.st_uid)


def _is_of_one(group: int, owner: int) -> bool:
    """Return whether a group is root's, or one that has its user's name and nobody else in it."""
    if group == 0:
        return True
    import grp  # noqa: PLC0415 - only for what a group may write
    import pwd  # noqa: PLC0415

    try:
        of_group, name = grp.getgrgid(group), pwd.getpwuid(owner).pw_name
    except KeyError:
        return False
    return of_group.gr_name == name and set(of_group.gr_mem) <= {name}


def give(made: int, above: int) -> None:
    """Give what root made below a directory of the user of ``sudo`` to that one, who could not use it otherwise."""
    owner = os.fstat(above)
    if os.geteuid() == 0 and owner.st_uid != 0 and owner.st_uid in trusted_users():
        os.fchown(made, owner.st_uid, owner.st_gid)


def link_error(path: Path, link: str, instead: str = "") -> UsageError:
    """Return why a file is not reached through a link."""
    return UsageError(
        f"{path} is not used: {'it' if link == str(path) else link} is a link",
        why="A link leads anywhere, and a stranger can have put it there.",
        todo=todo(f"Name the place that it leads to, or remove the link:\n  rm {shlex.quote(link)}", instead),
    )


def todo(text: str, instead: str) -> str:
    """Return what to do, with what else can be done."""
    return f"{text}\n{instead}" if instead else text


def user(number: int) -> str:
    """Return a user as people know them."""
    import pwd  # noqa: PLC0415 - only for messages

    try:
        return f"the user {pwd.getpwuid(number).pw_name} ({number})"
    except KeyError:
        return f"the user {number}"
