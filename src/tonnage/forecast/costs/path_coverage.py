"""Which written things lie below a path of an image, as far as their places tell.

A place is the directory (or the file) below which everything of a piece lies.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/var", "/opt", "/root", "/home")
_PROGRAMS = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/opt", "/var")
_LITTLE = ("/etc", "/run", "/srv", "/tmp", "/mnt", "/media", "/var")  # noqa: S108 - paths in an image


def covers(pattern: str, place: str) -> bool:
    """Return whether everything at a place lies below a path or pattern."""
    if not pattern.startswith("/") or not place.startswith("/"):
        return False
    wanted = _parts(pattern)
    if wanted and wanted[-1] in {"*", "**"}:
        wanted = wanted[:-1]
    parts = _parts(place)
    if len(parts) < len(wanted):
        return False
    return all(fnmatchcase(part, want) for part, want in zip(parts, wanted, strict=False))


def covers_part(pattern: str, place: str) -> bool:
    """Return whether a path lies inside a place, so that a part of what is there is meant."""
    if not pattern.startswith("/") or not place.startswith("/") or covers(pattern, place):
        return False
    wanted, parts = _parts(pattern), _parts(place)
    return len(wanted) > len(parts) and all(fnmatchcase(p, w) for p, w in zip(parts, wanted, strict=False))


def names(pattern: str, place: str) -> bool:
    """Return whether a path or pattern names just this place, not what is below it."""
    if not pattern.startswith("/") or not place.startswith("/"):
        return False
    wanted, parts = _parts(pattern), _parts(place)
    return len(wanted) == len(parts) and all(fnmatchcase(p, w) for p, w in zip(parts, wanted, strict=True))


def any_covers(patterns: Sequence[str], place: str) -> bool:
    """Return whether one of some paths and patterns covers a place."""
    return any(covers(pattern, place) for pattern in patterns)


def is_of_system(path: str) -> bool:
    """Return whether a base image usually has files below that path."""
    parts = _parts(path)
    return not parts or f"/{parts[0]}" in _SYSTEM


def holds_programs(path: str) -> bool:
    """Return whether a base image keeps much below that path: programs and what they need."""
    parts = _parts(path)
    return not parts or f"/{parts[0]}" in _PROGRAMS


def holds_little(path: str) -> bool:
    """Return whether a base image keeps next to nothing below that path: settings, logs, what is made at run time."""
    parts = _parts(path)
    return bool(parts) and f"/{parts[0]}" in _LITTLE and len(parts) > (1 if parts[0] == "var" else 0)


def moved(place: str, source: str, destination: str) -> str:
    """Return where a place is after its path, or one above it, was copied."""
    rest = _parts(place)[len(_parts(source)) :] if "*" not in source else []
    return "/" + "/".join([*_parts(destination), *rest])


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]
