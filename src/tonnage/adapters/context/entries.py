"""What a builder may read of a directory: its files behind ``.dockerignore``, hashed in a fixed order.

Symbolic links are read as links, never followed, so nothing outside the directory is looked at. Times and owners
count for nothing, as for the builder's own cache.

Source: docs.docker.com/build/concepts/context; ``ignorefile`` and ``patternmatcher`` of moby, read in version 0.6.
"""

from __future__ import annotations

import os
import stat
from bisect import bisect_left
from operator import attrgetter
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters.context.descent import Descent
from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.sources.dockerfile.patterns import StateMatcher, ignore_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator
    from hashlib import _Hash

    from tonnage.sources.dockerfile.patterns import Matcher

NO_HIT = -1
_MOST_WILD, _MOST_SLOW = 1_000, 50
_CHUNK_BYTES = 2**20
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NAME = attrgetter("name")
_DEEP = regex(r"[*?\[\\]")


class IgnoreRules:
    """What is left out of a directory: patterns of which the last one that matches decides.

    Args:
        text: The text of a ``.dockerignore``.

    Raises:
        UsageError: It has more patterns with wildcards than anybody writes.
    """

    def __init__(self, text: str = "", place: str = "") -> None:
        patterns: dict[str, int] = {}
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n")):
            names = names_of(line.strip().removeprefix("!"))
            if line.startswith("#") or not names:
                continue
            # Of two that are the same only the last one counts.
            patterns.pop("/".join(names), None)
            patterns["/".join(names)] = number * 2 + line.strip().startswith("!")
        self._fixed: dict[str, int] = {}
        self._wild: list[tuple[int, Matcher]] = []
        taken_back: list[str] = []
        slow = 0
        self._taken_back_below: set[str] = set()
        for pattern, rank in patterns.items():
            wild = _DEEP.search(pattern)
            if wild is None:
                self._fixed[pattern] = rank
            else:
                matcher = ignore_pattern(pattern)
                slow += isinstance(matcher, StateMatcher)
                self._wild.append((rank, matcher))
                if len(self._wild) > _MOST_WILD:
                    raise _too_many(_MOST_WILD, "wildcards", place)
                if slow > _MOST_SLOW:
                    raise _too_many(_MOST_SLOW, "** within a name", place)
            if rank % 2:
                fixed = pattern if wild is None else pattern[: wild.start()].rpartition("/")[0]
                taken_back.append(fixed)
                if wild is not None:
                    self._taken_back_below.add(fixed)
        self._wild.reverse()
        self._taken_back = sorted(taken_back)
        self._taken_back_as_written = sorted(f"{pattern}/" for pattern, rank in patterns.items() if rank % 2)

    @property
    def has_some(self) -> bool:
        """Whether anything may be left out."""
        return bool(self._fixed or self._wild)

    def hit(self, path: str, above: int = NO_HIT) -> int:
        """Return which pattern decides of a path, as a number for ``leaves_out``.

        Args:
            above: The same of the directory that it is in.
        """
        found = max(above, self._fixed.get(path, NO_HIT))
        for rank, pattern in self._wild:
            if rank <= found:
                break
            if pattern.fullmatch(path) is not None:
                return rank
        return found

    @staticmethod
    def leaves_out(hit: int) -> bool:
        """Tell whether what a pattern matches is left out: it is there, and takes nothing back."""
        return hit != NO_HIT and hit % 2 == 0

    def may_take_back_below(self, path: str) -> bool:
        """Tell whether something inside of a directory that is left out may be taken back."""
        inside = f"{path}/"
        at = bisect_left(self._taken_back, inside)
        if at < len(self._taken_back) and self._taken_back[at].startswith(inside):
            return True
        if not self._taken_back_below:
            return False
        names = path.split("/")
        return any("/".join(names[:count]) in self._taken_back_below for count in range(len(names) + 1))

    def all_clients_look_below(self, path: str) -> bool:
        """Tell whether every client looks for what is taken back inside of a directory that is left out.

        Those of Docker 20.10, and the builder before BuildKit, do so only where such a pattern begins with its path.
        Source: fsutil before October 2021; moby, ``pkg/archive`` (TarWithOptions); measured on Docker 20.10.
        """
        inside = f"{path}/"
        at = bisect_left(self._taken_back_as_written, inside)
        return at < len(self._taken_back_as_written) and self._taken_back_as_written[at].startswith(inside)


def _too_many(most: int, kind: str, place: str) -> UsageError:
    """Return the complaint about more patterns than can be compared with every path of a context."""
    return UsageError(
        f"{place or 'what is left out of a context'} has more than {most:,} patterns with {kind}",
        why="Each is compared with every path of the context.",
        todo="Write patterns that match more, such as a directory in place of its files.",
        place=place,
    )


class FoundEntry(Struct, frozen=True):
    """One entry of a directory while it is walked.

    Args:
        path: Its path below the directory that is walked.
        entry: What the system says of it.
        above: The directory that it is in, open until the walk goes on.
        perhaps: Only newer clients find it, below a directory that is left out.
    """

    path: str
    entry: os.DirEntry[str]
    above: int
    perhaps: bool = False

    def link(self) -> str:
        """Return where a link leads to."""
        return os.readlink(self.entry.name, dir_fd=self.above)


def hash_directory(root: str, rules: IgnoreRules, digest: _Hash, place: str = "") -> int:
    """Add a directory to a hash: of each entry its path, kind, permissions and contents.

    Raises:
        UsageError: A file that counts cannot be read.
    """
    total_bytes = 0
    for found in entries(root, rules, place):
        try:
            total_bytes += _hash_entry(found, digest)
        except FileNotFoundError:
            # It went away while the directory was read, as editors' files do; the builder will not see it either.
            continue
        except OSError as error:
            raise _unreadable(f"{root}/{found.path}", found.path, place, error) from error
    return total_bytes


def entries(root: str, rules: IgnoreRules, place: str) -> Iterator[FoundEntry]:
    """Walk a directory in a fixed order, past what the rules leave out.

    Raises:
        UsageError: A directory cannot be read.
    """
    for directory, perhaps, found in directories(root, rules, place):
        for path, entry in found:
            yield FoundEntry(path, entry, directory, perhaps)


def directories(
    root: str, rules: IgnoreRules, place: str
) -> Iterator[tuple[int, bool, list[tuple[str, os.DirEntry[str]]]]]:
    """Walk a directory in a fixed order.

    Of each directory come its descriptor, whether only newer clients find it, and what is not left out of it, by path.
    Each directory is opened below the one that is walked, so that none of them leads elsewhere meanwhile.

    Raises:
        UsageError: A directory cannot be read.
    """
    pending, has_rules = [("", NO_HIT, False)], rules.has_some
    with Descent(root) as way:
        while pending:
            inside, above, perhaps = pending.pop()
            try:
                directory = way.open_directory(inside)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _unreadable(f"{root}/{inside}".rstrip("/"), inside or ".", place, error) from error
            try:
                below, kept = [], []
                start = f"{inside}/" if inside else ""
                hit, left_out = NO_HIT, False
                for entry in sorted(os.scandir(directory), key=_NAME):
                    path = start + entry.name
                    if has_rules:
                        hit = rules.hit(path, above)
                        left_out = rules.leaves_out(hit)
                    if not left_out:
                        kept.append((path, entry))
                    if entry.is_dir(follow_symlinks=False) and (not left_out or rules.may_take_back_below(path)):
                        passed_by = left_out and not rules.all_clients_look_below(path)
                        below.append((path, hit, perhaps or passed_by))
                yield directory, perhaps, kept
                pending += reversed(below)
            finally:
                os.close(directory)


def _hash_entry(found: FoundEntry, digest: _Hash) -> int:
    """Add one entry; return its bytes."""
    entry, name = found.entry, os.fsencode(found.path)
    if entry.is_symlink():
        digest.update(b"link\0%b\0%b\0" % (name, os.fsencode(found.link())))
        return 0
    if not entry.is_file(follow_symlinks=False):
        mode = entry.stat(follow_symlinks=False).st_mode
        if not stat.S_ISSOCK(mode):  # Builders leave sockets out.
            digest.update(b"%o\0%b\0" % (mode, name))
        return 0
    descriptor = os.open(entry.name, _FILE, dir_fd=found.above)
    try:
        status = os.fstat(descriptor)
        digest.update(b"file\0%b\0%o\0%d\0" % (name, stat.S_IMODE(status.st_mode) & 0o777, status.st_size))
        if status.st_size and stat.S_ISREG(status.st_mode):
            while chunk := os.read(descriptor, _CHUNK_BYTES):
                digest.update(chunk)
    finally:
        os.close(descriptor)
    return status.st_size


def _unreadable(path: str, ignored: str, place: str, error: OSError) -> UsageError:
    return UsageError(
        f"{path} in the build context cannot be read",
        why=error.strerror or str(error),
        todo=f"Make it readable, or add {ignored} to .dockerignore.",
        place=place,
    )


def names_of(pattern: str) -> list[str]:
    """Return the names that a pattern is made of, ``.`` and ``..`` resolved; none when nothing is meant."""
    names: list[str] = []
    for name in pattern.strip().split("/"):
        if name == "..":
            del names[-1:]
        elif name not in {"", "."}:
            names.append(name)
    return names
