"""The source archives that an index has: their names, addresses and sizes, from the index's own page of a project.

Source: PEP 625 for the names of source archives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from packaging.version import InvalidVersion, Version

from tonnage.errors import CannotFetchError
from tonnage.model.lock import Sdist

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tonnage.adapters.index_access import IndexAccess
    from tonnage.adapters.index_pages import IndexPages, Offer

_OK = 200


def source_archive(
    name: str, version: str, pages: IndexPages, access: IndexAccess, indexes: Iterable[str]
) -> Sdist | None:
    """Find the source archive of a project.

    Args:
        name: The project.
        version: Its version; empty for the newest that is final.
        pages: The pages of indexes.
        access: What identifies the user to servers.
        indexes: Addresses of indexes, in the order in which they are asked.

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
            if not offer.yanked
            for archive in _archive(offer, index)
            if archive.name == canonicalize_name(name)
        ]
        fitting = [each for each in found if not version or _same(each.version, version)]
        final = [each for each in fitting if not Version(each.version).is_prerelease] or fitting
        if final:
            return max(final, key=lambda each: Version(each.version))
    return None


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


def _same(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return False


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
