"""Debian packages, their versions compared as dpkg does, and what installing some of them costs.

Source: deb-version(7) of dpkg 1.21.
"""

from __future__ import annotations

from functools import cmp_to_key
from itertools import zip_longest
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from tonnage.lazily import regex
from tonnage.model.forecast.compression import Content
from tonnage.model.forecast.estimate import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _typeshed import SupportsRichComparison

    from tonnage.model.forecast.estimate import Estimate

_PARTS = regex(r"(\D*)(\d*)")


class Relation(Struct, frozen=True):
    """One package that another asks for: ``name (>= version)``.

    Args:
        name: Its name, without the architecture.
        operator: ``<<``, ``<=``, ``=``, ``>=``, ``>>``; empty for any version.
        version: The version it is compared with; empty for any.
    """

    name: str
    operator: str = ""
    version: str = ""


Alternatives = tuple[Relation, ...]


class DebPackage(Struct, frozen=True, kw_only=True):
    """One version of a package as an index lists it.

    Args:
        architecture: Such as amd64 or all.
        installed_bytes: What it says it takes once unpacked (``Installed-Size``).
        depends: What it needs, ``Pre-Depends`` included; of each the alternatives.
        recommends: What is installed with it unless that is turned off.
        provides: What it stands in for; a version where one is written.
        conflicts: What cannot be there at the same time (``Conflicts`` and ``Breaks``).
        filename: Where the file lies below the source's address.
    """

    name: str
    version: str
    architecture: str = ""
    installed_bytes: int = 0
    deb_bytes: int = 0
    depends: tuple[Alternatives, ...] = ()
    recommends: tuple[Alternatives, ...] = ()
    provides: tuple[Relation, ...] = ()
    conflicts: tuple[Relation, ...] = ()
    filename: str = ""
    essential: bool = False
    priority: str = ""


class Chosen(Struct, frozen=True, kw_only=True):
    """One package that would be installed, and why.

    Args:
        because: The package that wants it; empty when it was asked for.
        upgrade: An older version is in the image already.
    """

    name: str
    version: str
    installed_bytes: int
    deb_bytes: int
    because: str = ""
    recommended: bool = False
    upgrade: bool = False


class PackageSelection(Struct, frozen=True, kw_only=True):
    """What would be installed.

    Args:
        missing: What was asked for and no source has, and what nothing satisfies.
        assumed: Whether what the image has already was not known, so that the usual packages were taken for it.
    """

    packages: tuple[Chosen, ...]
    missing: tuple[str, ...] = ()
    assumed: bool = False


class Probed(Struct, frozen=True, kw_only=True):
    """What the solver of an image itself said, in a container that was thrown away.

    Args:
        lists_bytes: What the package lists take as the image keeps them.
    """

    choice: PackageSelection
    lists_bytes: int
    caches_bytes: int


class ListBytes(Struct, frozen=True, kw_only=True):
    """What ``apt-get update`` fetches from all sources, as their ``Release`` files declare it.

    Args:
        release_bytes: The ``InRelease`` files.
        plain_bytes: The lists of packages, unpacked.
        translation_bytes: The translated descriptions, unpacked.
        fetched_bytes: The lists of packages, as they are fetched.
        translation_fetched_bytes: The translated descriptions, as they are fetched.
    """

    release_bytes: int = 0
    plain_bytes: int = 0
    translation_bytes: int = 0
    fetched_bytes: int = 0
    translation_fetched_bytes: int = 0

    def __add__(self, other: ListBytes) -> ListBytes:
        """Return both together."""
        return ListBytes(
            release_bytes=self.release_bytes + other.release_bytes,
            plain_bytes=self.plain_bytes + other.plain_bytes,
            translation_bytes=self.translation_bytes + other.translation_bytes,
            fetched_bytes=self.fetched_bytes + other.fetched_bytes,
            translation_fetched_bytes=self.translation_fetched_bytes + other.translation_fetched_bytes,
        )


class UnneededPackages(Struct, frozen=True):
    """Which packages of the system go once nothing needs them.

    Args:
        every: All that was installed before counts as having come for others.
        automatic: So do these; ``manual``: these do not.
    """

    every: bool = False
    automatic: tuple[str, ...] = ()
    manual: tuple[str, ...] = ()


class PackageIndex(Protocol):
    """The packages that an image's sources have."""

    def candidates(self, name: str, release: str = "") -> Sequence[DebPackage]:
        """Return the versions of a package, newest first; those of sources that are not automatic only by release."""

    def providers(self, name: str) -> Sequence[DebPackage]:
        """Return the newest version of each package that provides a name besides its own."""

    def usual(self) -> Sequence[DebPackage]:
        """Return what every system has: essential packages, and those of the priority required."""

    def lists(self) -> ListBytes:
        """Return what fetching the lists takes."""


class AptForecast(Struct, frozen=True, kw_only=True):
    """What one ``apt-get update && apt-get install`` brings.

    Args:
        image: Bytes that the packages add as ``docker images`` counts them.
        disk: What they add on a disk.
        debs: The files that are fetched: transient, or kept where the image keeps them.
        compressed: What the packages take in a compressed layer.
        lists: The package lists that ``apt-get update`` leaves, as they lie on the disk.
        lists_download: Bytes fetched for the lists.
        caches: What apt keeps for itself besides, once lists were read (``/var/cache/apt/*.bin``).
        packages: What would be installed, the largest first.
        by: Who says so, in words, such as ``the solver of the image``.
    """

    image: Estimate
    disk: Estimate
    debs: Estimate
    compressed: Estimate = NOTHING
    lists: Estimate = NOTHING
    lists_content: Content = Content.TEXT
    lists_download: Estimate = NOTHING
    caches: Estimate = NOTHING
    packages: tuple[Chosen, ...] = ()
    missing: tuple[str, ...] = ()
    by: str = ""
    notes: tuple[str, ...] = ()


def compare(one: str, other: str) -> int:
    """Return which of two versions is newer."""
    for mine, yours in zip(_split(one), _split(other), strict=True):
        order = _compare_part(mine, yours)
        if order:
            return order
    return 0


def satisfies(version: str, operator: str, wanted: str) -> bool:
    """Return whether a version is what is asked for.

    Args:
        operator: ``<<``, ``<=``, ``=``, ``>=`` or ``>>``; empty for any version.
    """
    if not operator:
        return True
    order = compare(version, wanted)
    return (
        order == 0
        if operator == "="
        else (order < 0 and operator[0] == "<")
        or (order > 0 and operator[0] == ">")
        or (order == 0 and operator[1] == "=")
    )


def newest_first(version: str) -> SupportsRichComparison:
    """Return what sorts versions with the newest first."""
    return _KEY(version)


_KEY: Callable[[str], SupportsRichComparison] = cmp_to_key(lambda one, other: compare(other, one))


def _split(version: str) -> tuple[str, str, str]:
    """Return epoch, upstream version and revision."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
    return epoch, upstream, revision


def _compare_part(one: str, other: str) -> int:
    mine, yours = _PARTS.findall(one), _PARTS.findall(other)
    for (text, number), (text_there, number_there) in zip_longest(mine, yours, fillvalue=("", "")):
        if text != text_there:
            order = _compare_text(text, text_there)
            if order:
                return order
        # As numbers of any length: the one with more digits is larger.
        digits, digits_there = number.lstrip("0"), number_there.lstrip("0")
        if digits != digits_there:
            return 1 if (len(digits), digits) > (len(digits_there), digits_there) else -1
    return 0


def _compare_text(one: str, other: str) -> int:
    """Compare what is no digit: a tilde before the end, the end before letters, letters before the rest."""
    for mine, yours in zip_longest(map(_weight, one), map(_weight, other), fillvalue=0):
        if mine != yours:
            return mine - yours
    return 0


def _weight(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
