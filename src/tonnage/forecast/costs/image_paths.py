"""Paths and patterns of an image: which places they mean, and what images usually keep there."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROGRAMS = frozenset({"usr", "lib", "lib64", "bin", "sbin", "opt", "var"})
_SYSTEM = _PROGRAMS | {"etc", "root", "home"}
# Directories that every image has.
_STANDING = regex(
    r"/(?:bin|boot|dev|etc|home|lib|media|mnt|opt|root|run|sbin|srv|tmp|"
    r"usr(?:/(?:bin|lib|sbin|share|local(?:/(?:bin|lib|sbin|share))?))?|var(?:/(?:cache|lib|log|tmp))?)?/?"
)
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


def keeps_small(path: str) -> bool:
    """Return whether one file there is usually small: models and data lie elsewhere."""
    first = [*_parts(path), ""][0]
    return holds_little(path) or first in _PROGRAMS - {"opt"}


def stands(path: str) -> bool:
    """Return whether a path is a directory that every image has."""
    return bool(_STANDING.fullmatch(path))


def directory_of(path: str) -> str:
    """Return where the files are that a pattern names; any other path as it is."""
    while any(sign in path for sign in "*?["):
        path = path.rstrip("/").rpartition("/")[0] or "/"
    return path


def inside(directory: str, source: str) -> str:
    """Return the path of something that is put into a directory under its own name."""
    return f"{directory.rstrip('/')}/{source.rstrip('/').rpartition('/')[2]}"


def moved(place: str, source: str, destination: str) -> str:
    """Return where a place is after its path, or one above it, was copied."""
    if source == destination:
        return place
    wanted, into = _parts(source), _parts(destination)
    pattern = bool(wanted) and any(sign in source for sign in "*?[")
    if pattern and into[-1:] == wanted[-1:]:
        into = into[:-1]
    # Each thing that a pattern names keeps its own name.
    rest = _parts(place)[len(wanted) - pattern :]
    return "/" + "/".join([*into, *rest])


def _agree(pattern: str, place: str, wanted: Sequence[str]) -> bool:
    """Return whether two absolute paths are the same as far as the shorter one goes."""
    absolute = pattern.startswith("/") and place.startswith("/")
    return absolute and all(map(fnmatchcase, _parts(place), wanted))


@lru_cache(8192)
def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part not in {"", "."})


def below(path: str, place: str) -> tuple[str, ...]:
    """Return what stands in a place behind a path or pattern that covers it."""
    wanted = _parts(path)
    end = len(wanted) - 1 if wanted and wanted[-1] in {"*", "**"} else len(wanted)
    return _parts(place)[end:]
