"""The source archives that an index has: their names, addresses and sizes, from the index's own page of a project.

Source: PEP 625 for the names of source archives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from packaging.version import InvalidVersion, Version

from tonnage.errors import CannotFetchError
from tonnage.forecast.python.pylock import markers_of
from tonnage.model.forecast.python_lock import Sdist

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tonnage.forecast.python.index_access import IndexAccess
    from tonnage.forecast.python.index_pages import IndexPages, Offer
    from tonnage.model.forecast.python_lock import Target

_OK = 200


def source_archive(
    name: str, allowed: SpecifierSet, python: str, pages: IndexPages, access: IndexAccess, indexes: Iterable[str]
) -> Sdist | None:
    """Find the source archive of a project.

    Returns:
        The archive; None where no index that answers has one.
    """
    for index in indexes:
        try:
            page = pages.page(f"{_without_user(index).rstrip('/')}/{canonicalize_name(name)}/", access)
        except CannotFetchError:
            continue
        if page.status != _OK:
            continue
        found = [
            archive
            for offer in page.offers()
            if not offer.yanked and _is_for(offer.python, python)
            for archive in _archive(offer, index)
            if archive.name == canonicalize_name(name) and allowed.contains(archive.version, prereleases=True)
        ]
        final = [each for each in found if not Version(each.version).is_prerelease] or found
        if final:
            return max(final, key=lambda each: Version(each.version))
    return None


def versions_asked_for(name: str, lines: Iterable[str], target: Target) -> SpecifierSet:
    """Return which versions of a project some requirements allow together."""
    allowed = SpecifierSet()
    environment = {**markers_of(target), "extra": ""}
    for line in lines:
        try:
            asked = Requirement(line)
        except InvalidRequirement:
            continue
        if canonicalize_name(asked.name) == canonicalize_name(name):
            allowed &= asked.specifier if not asked.marker or asked.marker.evaluate(environment) else SpecifierSet()
    return allowed


def needed_by(metadata: bytes) -> tuple[str, ...]:
    """Return the requirements that a wheel has."""
    head = metadata.decode("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")[0]
    return tuple(line.partition(":")[2].strip() for line in head.split("\n") if line.startswith("Requires-Dist:"))


def _archive(offer: Offer, index: str) -> Iterator[Sdist]:
    filename = unquote(urlsplit(offer.url).path.rpartition("/")[2])
    try:
        name, version = parse_sdist_filename(filename)
    except (InvalidSdistFilename, InvalidVersion):
        return
    yield Sdist(
        name=name,
        version=str(version),
        filename=filename,
        url=offer.url,
        size_bytes=offer.size_bytes,
        hashes=tuple(sorted(offer.hashes.items())),
        index=_without_user(index),
    )


def _is_for(declared: str, python: str) -> bool:
    """Whether what an archive says of the Python that it is for allows one."""
    try:
        return SpecifierSet(declared).contains(python)
    except InvalidSpecifier:
        return True


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
