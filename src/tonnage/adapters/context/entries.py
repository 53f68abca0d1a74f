"""What a builder may read of a directory: its files behind ``.dockerignore``, hashed in a fixed order.

Symbolic links are read as links, never followed, so nothing outside the directory is looked at. Times and owners
count for nothing, as for the builder's own cache.

Source: docs.docker.com/build/concepts/context; ``docker.utils`` of docker-py 7.2, which reads patterns the same way,
and with which the tests compare this. It is not used for it because importing it takes longer than a cached build.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import UsageError
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from hashlib import _Hash

_CHUNK_BYTES = 2**20
_DEEP = regex(r"[*?\[\\]")


class IgnoreRule(Struct, frozen=True):
    """One line of ``.dockerignore``.

    Args:
        matches: What it matches.
        takes_back: Whether it begins with ``!``.
        fixed: Its names before the first wildcard.
        whole: Whether it has no wildcard at all.
    """

    matches: re.Pattern[str]
    takes_back: bool
    fixed: tuple[str, ...]
    whole: bool

    def may_match_below(self, path: str) -> bool:
        """Tell whether something inside the directory ``path`` may match."""
        names = path.split("/")
        shared = min(len(names), len(self.fixed))
        if tuple(names[:shared]) != self.fixed[:shared]:
            return False
        return not self.whole or len(self.fixed) > len(names)


def read_rules(text: str) -> tuple[IgnoreRule, ...]:
    """Read the text of a ``.dockerignore``."""
    rules = []
    for line in text.lstrip("﻿").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pattern = line.strip()
        names = names_of(pattern.removeprefix("!"))
        if not names:
            continue
        fixed = []
        for name in names:
            if _DEEP.search(name):
                break
            fixed.append(name)
        rules.append(
            IgnoreRule(
                re.compile(expression("/".join(names))),
                pattern.startswith("!"),
                tuple(fixed),
                whole=len(fixed) == len(names),
            )
        )
    return tuple(rules)


def hash_directory(root: str, rules: Sequence[IgnoreRule], digest: _Hash, place: str = "") -> int:
    """Add a directory to a hash: of each entry its path, kind, permissions and contents.

    Raises:
        UsageError: A file that counts cannot be read.
    """
    total_bytes = 0
    for path, entry in entries(root, rules, place):
        try:
            total_bytes += _hash_entry(path, entry, digest)
        except FileNotFoundError:
            # It went away while the directory was read, as editors' files do; the builder will not see it either.
            continue
        except OSError as error:
            raise _unreadable(entry.path, path, place, error) from error
    return total_bytes


def entries(root: str, rules: Sequence[IgnoreRule], place: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Walk a directory in a fixed order, past what the rules leave out.

    Yields:
        The path of each entry below the directory, and the entry.

    Raises:
        UsageError: A directory cannot be read.
    """
    pending: list[tuple[str, tuple[bool, ...]]] = [("", (False,) * len(rules))]
    while pending:
        inside, inherited = pending.pop()
        try:
            found = sorted(os.scandir(Path(root, inside)), key=lambda entry: entry.name)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _unreadable(str(Path(root, inside)), inside or ".", place, error) from error
        below = []
        for entry in found:
            path = f"{inside}/{entry.name}" if inside else entry.name
            hits = tuple(
                hit or rule.matches.match(path) is not None for hit, rule in zip(inherited, rules, strict=True)
            )
            left_out = next(
                (not rule.takes_back for hit, rule in zip(hits[::-1], rules[::-1], strict=True) if hit), False
            )
            if not left_out:
                yield path, entry
            if entry.is_dir(follow_symlinks=False) and (
                not left_out or any(rule.takes_back and rule.may_match_below(path) for rule in rules)
            ):
                below.append((path, hits))
        pending += reversed(below)


def _hash_entry(path: str, entry: os.DirEntry[str], digest: _Hash) -> int:
    """Add one entry; return its bytes."""
    name = os.fsencode(path)
    if entry.is_symlink():
        digest.update(b"link\0%b\0%b\0" % (name, os.fsencode(os.readlink(entry.path))))  # noqa: PTH115 - text as it is
        return 0
    if not entry.is_file(follow_symlinks=False):
        mode = entry.stat(follow_symlinks=False).st_mode
        if not stat.S_ISSOCK(mode):  # Builders leave sockets out.
            digest.update(b"%o\0%b\0" % (mode, name))
        return 0
    descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        digest.update(b"file\0%b\0%o\0%d\0" % (name, stat.S_IMODE(status.st_mode) & 0o777, status.st_size))
        if status.st_size:
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


def expression(pattern: str) -> str:
    """Return the regular expression for a pattern with ``*``, ``**``, ``?`` and ``[...]``."""
    found = ["^"]
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        at += 1
        if letter == "*":
            if pattern[at : at + 1] != "*":
                found.append("[^/]*")
                continue
            at += 1
            if pattern[at : at + 1] == "/":
                at += 1
            found.append(".*" if at >= len(pattern) else "(.*/)?")
        elif letter == "?":
            found.append("[^/]")
        elif letter == "[":
            text, at = _letters(pattern, at)
            found.append(text)
        else:
            found.append(re.escape(letter))
    return "".join((*found, "$"))


def _letters(pattern: str, at: int) -> tuple[str, int]:
    """Return the expression for what begins after ``[``, and where it ends."""
    # The bracket that ends it is not the one that comes first in it.
    first = at + (pattern[at : at + 1] == "!")
    end = pattern.find("]", first + (pattern[first : first + 1] == "]"))
    if end < 0:
        return r"\[", at
    inside = pattern[at:end].replace("\\", "\\\\")
    if inside.startswith("!"):
        inside = f"^{inside[1:]}"
    elif inside.startswith("^"):
        inside = f"\\{inside}"
    return f"[{inside}]", end + 1
