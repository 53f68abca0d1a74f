"""What commands of other ecosystems take where no metadata can be read: bounds by kind, from tables and from locks.

A bound is ``declared`` where everything that comes is named, in the table of usual packages or by a lock that tells how
many there are. Whatever is not keeps the bound that is assumed for what nobody knows.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.forecast.costs.usual_package_table import PATTERNS, PYTHON, SYSTEM, TOOLS
from tonnage.forecast.requirements.lines import normal_name
from tonnage.lazily import regex
from tonnage.model.forecast.compression import Content
from tonnage.model.forecast.estimate import Estimate, Grade, assumed
from tonnage.model.forecast.sized_effects import SizedEffect, WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MB = 1_000_000
_USUAL = "usual size"
_VERSIONED = regex(r"[=<>~].*|@(?!.*/).*|:(?:amd64|arm64|i386|armhf|any|native)$")
_MOST_PACKAGES = 400


class UsualKind(Struct, frozen=True):
    """What a command takes that builds or fetches as many things as a lock names.

    Args:
        each: Kilobytes of each thing: at least, likely, at most.
        besides: Megabytes whatever their number: at least, likely, at most.
        place: Where it lies; empty where that is not one place.
    """

    each: tuple[int, int, int]
    besides: tuple[int, int, int]
    place: str = ""


KINDS = {
    # Modules with their sources, as ``go.sum`` names them; it also names those of which only the list is fetched.
    "go mod": UsualKind((5, 1_200, 8_000), (0, 5, 120), "/go/pkg"),
    "go build": UsualKind((5, 1_600, 10_000), (1, 180, 900)),
    "cargo fetch": UsualKind((10, 900, 6_000), (0, 60, 350), "/usr/local/cargo"),
    "cargo build": UsualKind((60, 7_000, 45_000), (1, 80, 900)),
    "bundle": UsualKind((10, 1_800, 9_000), (0, 8, 250), "/usr/local/bundle"),
    "composer": UsualKind((5, 600, 5_000), (0, 3, 90)),
}
"""Rules of thumb, wide on purpose; what was measured of an instruction takes their place."""


def of_packages(
    names: Sequence[str], command: str, place: str, assume_bytes: int, *, one_place: bool = True
) -> tuple[WrittenBytes, ...]:
    """Return what packages of a system take, each with what it brings.

    Args:
        one_place: All of them lie in one place; if not, each in one below it of its own name,
        which removing it empties.
    """
    sized: list[WrittenBytes] = []
    others: list[str] = []
    for name in dict.fromkeys(names[:_MOST_PACKAGES]):
        bare = _VERSIONED.sub("", name).lower().partition("/")[0]
        found = SYSTEM.get(bare) or next((size for each, size in PATTERNS.items() if fnmatchcase(bare, each)), None)
        if found is None:
            others.append(name)
        else:
            there = place if one_place else f"{place.rstrip('/')}/{bare}"
            sized.append(WrittenBytes.of_size(bare, there, _usual(found), _USUAL, download=_packed(found)))
    if others or len(names) > _MOST_PACKAGES:
        bound = assumed(assume_bytes)
        sized.append(
            WrittenBytes.of_size(
                " ".join(others) or command, place, bound, "no package index was read: assumed", download=bound
            )
        )
    return tuple(sized)


def named_tools(manager: str, names: Sequence[str], command: str, cache: str, assume_bytes: int) -> SizedEffect:
    """Return what programs for Node.js take that are named on a line."""
    bare = {name: name[:1] + _VERSIONED.sub("", name[1:]) for name in names[:_MOST_PACKAGES]}
    known = [each for each in bare.values() if each in TOOLS]
    others = [name for name, each in bare.items() if each not in TOOLS]
    place = "/usr/local/lib/node_modules"
    pieces = [
        WrittenBytes.of_size(name, f"{place}/{name}", _usual(TOOLS[name]), _USUAL, download=_packed(TOOLS[name]))
        for name in known
    ]
    if others:
        bound = assumed(assume_bytes)
        told = " ".join(others)
        pieces.append(
            WrittenBytes.of_size(told or command, place, bound, "what it needs is not known: assumed", download=bound)
        )
    fetched = sum(TOOLS[name][1] for name in known)
    kept = Estimate(0, fetched // 5, fetched, Grade.DECLARED) if fetched else assumed(0)
    if fetched:
        pieces.append(WrittenBytes.of_size(f"cache of {manager}", cache, kept, _USUAL, content=Content.PACKED))
    return SizedEffect(writes=tuple(pieces))


def of_kind(kind: str, count: int, name: str, place: str = "") -> SizedEffect:
    """Return what a command takes by its kind and the number of things that its lock names."""
    row = KINDS[kind]
    low, likely, high = (
        each * 1000 * count + besides * _MB for each, besides in zip(row.each, row.besides, strict=True)
    )
    size = Estimate(low, likely, high, Grade.DECLARED)
    source = f"usual size of {count} {'modules' if kind.startswith('go') else 'packages'}"
    fetched = Estimate(0, likely // 4, high, Grade.DECLARED)
    return SizedEffect(writes=(WrittenBytes.of_size(name, place or row.place, size, source, download=fetched),))


def _usual(size: tuple[int, int]) -> Estimate:
    low, high = size
    # It may be there already. Most lie near the lower end: what is recommended, and large releases, are few.
    return Estimate(0, (2 * low + high) // 3, high, Grade.DECLARED)


def _packed(size: tuple[int, int]) -> Estimate:
    low, high = size
    return Estimate(low // 6, (2 * low + high) // 12, high // 2, Grade.DECLARED)


def is_heavy(name: str) -> bool:
    """Whether a package for Python is known to bring hundreds of megabytes."""
    return normal_name(name) in PYTHON


def heaviest(names: Iterable[str], *, for_cpu: bool = False) -> int:
    """Return what the heaviest of some packages for Python brings at most, in bytes; 0 where none is known to be heavy.

    Args:
        for_cpu: From an index of builds without support of graphics cards.
    """
    return max((PYTHON[each][for_cpu] for each in map(normal_name, names) if each in PYTHON), default=0)
