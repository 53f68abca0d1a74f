"""Which written things lie below a path of an image, as far as their places tell.

A place is the directory (or the file) below which everything of a piece lies.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROGRAMS = frozenset({"usr", "lib", "lib64", "bin", "sbin", "opt", "var"})
_SYSTEM = _PROGRAMS | {"etc", "root", "home"}
_LITTLE = frozenset({"etc", "run", "srv", "tmp", "mnt", "media"})


def covers(pattern: str, place: str) -> bool:
    """Return whether everything at a place lies below a path or pattern."""
    wanted = _parts(pattern)
    if wanted and wanted[-1] in {"*", "**"}:
        wanted = wanted[:-1]
    return _agree(pattern, place, wanted) and len(_parts(place)) >= len(wanted)


def covers_part(pattern: str, place: str) -> bool:
    """Return whether a path lies inside a place, so that a part of what is there is meant."""
    wanted = _parts(pattern)
    return _agree(pattern, place, wanted) and len(wanted) > len(_parts(place)) and not covers(pattern, place)


def names(pattern: str, place: str) -> bool:
    """Return whether a path or pattern names just this place, not what is below it."""
    wanted = _parts(pattern)
    return _agree(pattern, place, wanted) and len(wanted) == len(_parts(place))


def any_covers(patterns: Sequence[str], place: str) -> bool:
    """Return whether one of some paths and patterns covers a place."""
    return any(covers(pattern, place) for pattern in patterns)


def is_of_system(path: str) -> bool:
    """Return whether a base image usually has files below that path."""
    return path.strip("/") == "" or _parts(path)[0] in _SYSTEM


def holds_programs(path: str) -> bool:
    """Return whether a base image keeps much below that path: programs and what they need."""
    return path.strip("/") == "" or _parts(path)[0] in _PROGRAMS


def holds_little(path: str) -> bool:
    """Return whether a base image keeps next to nothing below that path: settings, logs, what is made at run time."""
    first, *rest = [*_parts(path), ""]
    return first in _LITTLE or (first == "var" and len(rest) > 1)


def moved(place: str, source: str, destination: str) -> str:
    """Return where a place is after its path, or one above it, was copied."""
    rest = _parts(place)[len(_parts(source)) :] if "*" not in source else []
    return "/" + "/".join([*_parts(destination), *rest])


def _agree(pattern: str, place: str, wanted: Sequence[str]) -> bool:
    """Return whether two absolute paths are the same as far as the shorter one goes."""
    absolute = pattern.startswith("/") and place.startswith("/")
    return absolute and all(map(fnmatchcase, _parts(place), wanted))


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]
