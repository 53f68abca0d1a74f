"""What is mounted where, as the kernel tells this process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEAST_FIELDS = 10
_ESCAPED = regex(r"\\([0-7]{3})")


class MountPoint(Struct, frozen=True, kw_only=True):
    """One mount.

    Args:
        device: ``major:minor`` of its filesystem.
        root: Which directory of that filesystem is mounted; ``/`` unless it is a bind mount.
        path: Where it is mounted.
        kind: The kind of filesystem: ext4, overlay, tmpfs, ...
        read_only: Whether nothing can be written, and so nothing removed, through it.
    """

    device: str
    root: str
    path: str
    kind: str
    read_only: bool = False


def read_mounts(table: str = "/proc/self/mountinfo") -> tuple[MountPoint, ...]:
    """Read the mount table.

    Returns:
        All mounts in the order in which they were made; a later one at the same path hides an earlier one.

    Source: proc(5), /proc/PID/mountinfo.
    """
    text = Path(table).read_text(encoding="utf-8", errors="surrogateescape")
    return tuple(_parsed(line.split()) for line in text.splitlines() if len(line.split()) >= _LEAST_FIELDS)


def mount_under(mounts: tuple[MountPoint, ...], path: str) -> MountPoint | None:
    """Return the mount that a path without symbolic links lies on; None where the table knows none."""
    around = [mount for mount in mounts if is_within(path, mount.path)]
    # The longest path is the nearest; of two at the same path the later one is what is seen.
    return max(enumerate(around), key=lambda each: (len(each[1].path), each[0]))[1] if around else None


def is_within(path: str, directory: str) -> bool:
    """Return whether a path is a directory or lies inside it; both absolute and normalised."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def upwards(path: str) -> Iterator[str]:
    """Yield a path and all that it lies in, the nearest first; it is absolute and normalised."""
    while path and path != "/":
        yield path
        path = path.rpartition("/")[0]
    yield "/"


def _parsed(fields: list[str]) -> MountPoint:
    end = fields.index("-", 6)
    options = {*fields[5].split(","), *fields[end + 3].split(",")}
    return MountPoint(
        device=fields[2],
        root=unescaped(fields[3]),
        path=unescaped(fields[4]),
        kind=fields[end + 1],
        read_only="ro" in options,
    )


def unescaped(text: str) -> str:
    """Return a path of one of the kernel's tables as it is."""
    raw = _ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), text)
    return raw.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
