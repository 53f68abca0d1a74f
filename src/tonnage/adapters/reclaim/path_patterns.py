"""From the patterns of a catalogue to paths, below a root and never through a symbolic link.

``glob`` follows symbolic links, so this does not use it: a link could lead out of the tree or to another filesystem.
"""

from __future__ import annotations

import os
import re
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_MAGIC = frozenset("*?[")


class PathMatch(Struct, frozen=True):
    """One match.

    Args:
        path: Absolute, with no symbolic link above its last name.
        link: The symbolic link at it or above it, where that is why it is not looked into; else empty.
    """

    path: str
    link: str = ""


def printable(path: str) -> str:
    """Return a path as it can be printed and kept as text: names may hold line ends, and bytes that are no text."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def homes(root: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the homes below a root: root's, those in ``/home``, and ``$HOME`` where the root is this machine's."""
    named = environment.get("HOME", "") if root == "/" else ""
    found = [each.path for each in expand(_under(root, "/home/*"))]
    own = [os.path.realpath(named)] if named.startswith("/") and named != "/" else []
    return tuple(dict.fromkeys([_under(root, "/root"), *found, *own]))


def patterns_below(root: str, pattern: str, *, environment: Mapping[str, str], home: tuple[str, ...]) -> list[str]:
    """Return the absolute patterns that one pattern of the catalogue stands for."""
    first, _, rest = pattern.partition("/")
    if first == "~":
        return [f"{_literal(each)}/{rest}" for each in home]
    if not first.startswith("$"):
        return [_under(_literal(root), pattern)]
    value = os.path.normpath(environment.get(first[1:], ""))
    if not value.startswith("/"):
        return []
    # The directory that a variable names may be a link on purpose: it is followed once, here.
    below = os.path.realpath(value) if root == "/" else _under(root, value)
    return [_under(_literal(below), f"/{rest}")]


def expand(pattern: str) -> Iterator[PathMatch]:
    """Find what an absolute pattern matches.

    Yields:
        Matches in the order of their names. What cannot be looked at matches nothing.
    """
    yield from _expand("/", pattern.strip("/").split("/"))


def _expand(directory: str, parts: list[str]) -> Iterator[PathMatch]:
    part, *rest = parts
    for name in _names(directory, part):
        path = os.path.join(directory, name)  # noqa: PTH118 - strings throughout
        if os.path.islink(path):  # noqa: PTH114
            # Of what lies behind a link only the link is told, and only where something would be found.
            if not rest or os.path.isdir(path):  # noqa: PTH112
                yield PathMatch("/".join([path, *rest]), link=path)
        elif not rest:
            yield PathMatch(path)
        else:
            yield from _expand(path, rest)


def _names(directory: str, part: str) -> list[str]:
    if not _MAGIC & set(part):
        return [part] if os.path.lexists(os.path.join(directory, part)) else []  # noqa: PTH118
    matches = _matcher(part)
    try:
        names = os.listdir(directory)  # noqa: PTH208
    except OSError:
        return []
    shown = part.startswith(".")
    return sorted(name for name in names if matches(name) and (shown or not name.startswith(".")))


@lru_cache(maxsize=512)
def _matcher(part: str) -> Callable[[str], object]:
    before, star, after = part.partition("*")
    if star and not _MAGIC & {*before, *after}:
        # Nearly all patterns are so; to compile dozens of expressions takes longer than all of the search.
        least = len(before) + len(after)
        return lambda name: len(name) >= least and name.startswith(before) and name.endswith(after)
    return re.compile(translate(part)).match


def _literal(path: str) -> str:
    """Return the pattern that matches just this path."""
    return re.sub(r"([*?[])", r"[\1]", path)


def _under(root: str, path: str) -> str:
    return path if root == "/" else root + path
