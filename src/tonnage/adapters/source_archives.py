"""The source archives that an index has: their names, addresses and sizes, from the index's own page of a project.

Source: PEP 503 and 691 for the page, PEP 700 for sizes and versions, PEP 625 for the names of source archives.
"""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from packaging.version import InvalidVersion, Version

from tonnage.adapters.web import shown
from tonnage.errors import CannotFetchError
from tonnage.lazily import regex
from tonnage.model.lock import Sdist

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tonnage.adapters.index_access import IndexAccess
    from tonnage.adapters.web import Web

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_MOST_PAGE_BYTES = 32 << 20
_OK = 200
_REFUSED = frozenset({401, 403, 407})
_LINK = regex(r"<a\s[^>]*?href\s*=\s*[\"']([^\"']+)[\"']", re.IGNORECASE)


def source_archive(name: str, version: str, *, web: Web, access: IndexAccess, indexes: Iterable[str]) -> Sdist | None:
    """Find the source archive of a project.

    Args:
        name: The project.
        version: Its version; empty for the newest that is final.
        web: The door to the network.
        access: What identifies the user to servers.
        indexes: Addresses of indexes, in the order in which they are asked.

    Returns:
        The archive; None where no index that answers has one.
    """
    for index in indexes:
        address = f"{index.rstrip('/')}/{canonicalize_name(name)}/"
        try:
            reply = web.get(address, {"Accept": _ACCEPT, **access.headers(index)}, limit_bytes=_MOST_PAGE_BYTES)
        except CannotFetchError:
            continue
        if reply.status != _OK:
            continue
        found = [
            each
            for each in _archives(reply.body.decode("utf-8", "replace"), reply.address, index)
            if each.name == canonicalize_name(name)
        ]
        fitting = [each for each in found if not version or _same(each.version, version)]
        final = [each for each in fitting if not Version(each.version).is_prerelease] or fitting
        if final:
            return max(final, key=lambda each: Version(each.version))
    return None


def refusing(name: str, *, web: Web, access: IndexAccess, indexes: Iterable[str]) -> str:
    """Find the first index that refuses to tell about a project.

    Args:
        name: The project.
        web: The door to the network.
        access: What identifies the user to servers.
        indexes: Addresses of indexes.

    Returns:
        Its address as it may be shown; empty where none refuses.
    """
    for index in indexes:
        try:
            reply = web.head(f"{index.rstrip('/')}/{canonicalize_name(name)}/", access.headers(index))
        except CannotFetchError:
            continue
        if reply.status in _REFUSED:
            return shown(index)
    return ""


def _archives(page: str, address: str, index: str) -> Iterator[Sdist]:
    """Yield the source archives that a page of an index lists."""
    try:
        told: Any = json.loads(page)
    except ValueError:
        told = None
    if isinstance(told, dict):
        for file in told.get("files", ()):
            if isinstance(file, dict) and isinstance(file.get("url"), str) and not file.get("yanked"):
                size = file.get("size")
                hashes = file.get("hashes")
                yield from _archive(
                    urljoin(address, file["url"]),
                    index,
                    size if isinstance(size, int) else None,
                    {str(k): str(v) for k, v in hashes.items()} if isinstance(hashes, dict) else {},
                )
        return
    for link in _LINK.findall(page):
        url, fragment = urldefrag(urljoin(address, html.unescape(link)))
        algorithm, _, digest = fragment.partition("=")
        yield from _archive(url, index, None, {algorithm: digest} if digest else {})


def _archive(url: str, index: str, size_bytes: int | None, hashes: dict[str, str]) -> Iterator[Sdist]:
    filename = unquote(urlsplit(url).path.rpartition("/")[2])
    try:
        name, version = parse_sdist_filename(filename)
    except (InvalidSdistFilename, InvalidVersion):
        return
    yield Sdist(
        name=name,
        version=str(version),
        filename=filename,
        url=url,
        size_bytes=size_bytes,
        hashes=tuple(sorted(hashes.items())),
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
