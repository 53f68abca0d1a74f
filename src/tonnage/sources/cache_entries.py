"""What ``cache_from`` and ``cache_to`` of a build section ask for: where build cache comes from, and where it goes.

Source: docker/buildx, ``util/buildflags/cache.go``.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

NO_EXPORT = "left out, since an engine with the classic image store exports no cache; a builder in a container does"
_REGISTRY, _LOCAL, _INLINE = "registry", "local", "inline"


class CacheEntry(Struct, frozen=True, kw_only=True):
    """One place of build cache.

    Args:
        kind: ``local``, ``registry``, ``gha``, ``inline`` and others.
        where: Its directory, or its name in a registry; empty for others.
        whole: The layers of every stage go there, not only those of the image.
        text: As it is written.
    """

    kind: str
    where: str
    whole: bool
    text: str

    @property
    def directory(self) -> str:
        """The directory that it is written to; empty where it is none."""
        return self.where if self.kind == _LOCAL else ""

    @property
    def shown(self) -> str:
        """What it is, without what gives access to it."""
        return f"type={self.kind}{f' {self.where}' if self.where else ''}"

    @property
    def is_inline(self) -> bool:
        """Whether it goes into the image itself, as a list."""
        return self.kind == _INLINE


def cache_entry(text: str) -> CacheEntry:
    """Read one entry; a name alone is that of an image in a registry."""
    try:
        fields = next(csv.reader([text]), [])
    except csv.Error:
        fields = [text]
    if not any("=" in each for each in fields):
        return CacheEntry(kind=_REGISTRY, where=text, whole=False, text=text)
    told = {name.strip().lower(): value.strip() for name, _, value in (each.partition("=") for each in fields)}
    where = told.get("dest") or told.get("src") or told.get("ref") or ""
    return CacheEntry(kind=told.get("type", _REGISTRY), where=where, whole=told.get("mode") == "max", text=text)


def cache_entries(texts: Iterable[str]) -> tuple[CacheEntry, ...]:
    """Read some entries."""
    return tuple(map(cache_entry, texts))
