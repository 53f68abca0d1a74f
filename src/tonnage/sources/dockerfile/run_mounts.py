"""``RUN --mount=...`` as a ``RunMount``.

Source: ``frontend/dockerfile/instructions/commands_runmount.go`` of BuildKit, read in version 0.26.
"""

from __future__ import annotations

import csv
import posixpath
from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.model.forecast.recipe import FileSource, FileSourceKind, RunMount

if TYPE_CHECKING:
    from collections.abc import Callable

_KINDS = frozenset({"bind", "cache", "tmpfs", "secret", "ssh"})
_KEYS = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}


def read_mount(
    value: str, *, expand: Callable[[str], str], origin: Callable[[str], FileSource], directory: str, place: str
) -> RunMount:
    """Read one mount.

    Raises:
        UsageError: Its type is not known, or a bind or a cache has no target.
    """
    fields: dict[str, str] = {}
    for field in next(csv.reader([value]), []):
        key, _, text = field.partition("=")
        name = key.strip().lower()
        fields[_KEYS.get(name, name)] = text
    kind = expand(fields.get("type", "bind"))
    if kind not in _KINDS:
        raise UsageError(
            f"there is no mount of type {kind}", todo=f"Types are {', '.join(sorted(_KINDS))}.", place=place
        )
    target = expand(fields.get("target", ""))
    if kind in {"bind", "cache", "tmpfs"} and not target:
        raise UsageError(
            f"the {kind} mount has no target",
            todo=f"Say where it is mounted:\n  RUN --mount=type={kind},target=/PATH COMMAND",
            place=place,
        )
    if target:
        target = posixpath.normpath(posixpath.join(directory, target))
    begun = fields.get("from")
    where = origin(begun) if begun else FileSource(FileSourceKind.CONTEXT) if kind == "bind" else None
    return RunMount(
        kind=kind,
        target=target,
        source=expand(fields.get("source", "")),
        origin=where,
        identity=expand(fields.get("id", "")) or (target if kind == "cache" else ""),
    )
