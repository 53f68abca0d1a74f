"""The catalogue of what can be removed from a machine: one TOML file for each source, read and checked.

Public: ``load_catalogue() -> tuple[Entry, ...]``, in the order in which places are looked for.

A pattern must name something of its own below a variable or a home, so that a variable that points at ``/`` or at
somebody's home can never make that a candidate.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from tonnage.errors import UsageError
from tonnage.lazily import learned
from tonnage.model.reclaim.candidate import CatalogueEntry, PlaceKind  # noqa: TC001 - msgspec reads the annotation

_FOUND_OTHERWISE = frozenset({PlaceKind.SWAP, PlaceKind.SNAP})
_LEAST_DEPTH = 2
"""Components that a pattern from the root must have: nothing that lies directly in ``/`` is ever a candidate."""


class _CatalogueFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file."""

    source: str
    entry: tuple[CatalogueEntry, ...]


def load_catalogue(directory: Path | None = None) -> tuple[CatalogueEntry, ...]:
    """Read the whole catalogue.

    Args:
        directory: Where its files are; None for the package's own.

    Returns:
        All entries, files in the order of their names.

    Raises:
        UsageError: A file is not understood, or an entry is not complete.
    """
    where = directory or Path(__file__).parents[2] / "catalogue"
    files = sorted(where.glob("*.toml"))
    found: dict[str, CatalogueEntry] = {}
    for file in files:
        try:
            read = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), learned(_CatalogueFile))
        except (msgspec.ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"the catalogue file {file.name} is not understood", why=str(error)) from error
        for entry in read.entry:
            wrong = _what_is_wrong(entry) or ("there are two of that name" if entry.name in found else "")
            if wrong:
                raise UsageError(f"the entry {entry.name} of the catalogue is not complete", why=wrong, place=file.name)
            found[entry.name] = msgspec.structs.replace(entry, source=entry.source or read.source)
    return tuple(found.values())


def _what_is_wrong(entry: CatalogueEntry) -> str:
    for field in ("name", "what", "breaks", "back"):
        if not getattr(entry, field).strip():
            return f"{field} is empty"
    if entry.back_s < 0 or entry.back_s_per_gb < 0 or entry.back_s + entry.back_s_per_gb == 0:
        return "it says of nothing what it costs to get it back"
    if entry.usual_gb <= 0:
        return "it says that it usually holds nothing"
    if not entry.paths and entry.kind not in _FOUND_OTHERWISE:
        return "it has no paths"
    return next((wrong for wrong in map(_wrong_pattern, entry.paths) if wrong), "")


def _wrong_pattern(pattern: str) -> str:
    first, *rest = pattern.split("/")
    named = [part for part in rest if part.strip("*?")]
    if first not in {"", "~"} and not (first.startswith("$") and first[1:].replace("_", "a").isalnum()):
        return f"the pattern {pattern} begins neither with / nor with ~/ nor with $NAME/"
    if {"", ".", ".."} & set(rest) or "**" in pattern:
        return f"the pattern {pattern} has an empty part, a dot or **"
    if len(rest) < (_LEAST_DEPTH if first == "" else 1) or not named:
        return f"the pattern {pattern} names nothing of its own"
    return ""
