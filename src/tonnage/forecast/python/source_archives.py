"""The source archives that an index has: their names, addresses and sizes, from the index's own page of a project.

The resolver takes wheels alone, so what it finds no wheel of is looked up here. Pages are kept, and the last one is
read where the index does not answer.

Source: PEP 503, 592, 629, 691 and 700 for pages; PEP 625 for the names of source archives.
"""

from __future__ import annotations

import contextlib
import html
import re
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import msgspec
from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tonnage.addresses import shown, without_user
from tonnage.errors import CannotFetchError
from tonnage.forecast.gather.single_flight import SingleFlight
from tonnage.forecast.python.parsing import requirement, sdist_name, specifiers, version
from tonnage.forecast.python.resolver_lines import encoded, holding
from tonnage.lazily import learned, regex
from tonnage.model.forecast.python_lock import Other, Sdist
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tonnage.adapters.web.client import Web
    from tonnage.adapters.web.disk_cache import DiskCache
    from tonnage.forecast.python.index_access import IndexAccess
    from tonnage.model.forecast.python_lock import Target

_KIND = "page-2"
_JSON_FIRST = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
# The largest pages have 12 MB and 20,000 files; what Python makes of a file takes ten times as much.
_MOST_PAGE_BYTES, _MOST_FILES = 16 << 20, 100_000
_MOST_TAG_CHARACTERS, _MOST_BROKEN_TAGS, _MOST_VALUE_BYTES = 16384, 20, 4096
_MOST_NEEDS = 10_000
_OK = 200
_REFUSED = frozenset({401, 403, 407})
_LINK_BEGIN = regex(r"<a\s", re.IGNORECASE)
_ATTRIBUTES = regex(r"(?>(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*)>")
_HREF = regex(r"\bhref\s*=\s*(?:\"([^\"]+)\"|'([^']+)'|([^\s\"'>]+))", re.IGNORECASE)
_PYTHON = regex(r"\bdata-requires-python\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)


class Offer(Struct, frozen=True, kw_only=True):
    """One file that a page lists.

    Args:
        url: Its address.
        hashes: Hexadecimal digests by algorithm.
        size_bytes: Its size; None where the page tells none.
        yanked: Whether it was taken back.
        python: Which versions of Python it is for; empty where nothing is said.
    """

    url: str
    hashes: Mapping[str, str] = {}
    size_bytes: int | None = None
    yanked: bool = False
    python: str = ""


class _ListedFile(Struct, rename="kebab"):
    """One file as a page in JSON has it; what is not an address is read when it is needed."""

    url: str
    size: msgspec.Raw = msgspec.Raw()
    hashes: msgspec.Raw = msgspec.Raw()
    yanked: msgspec.Raw = msgspec.Raw()
    requires_python: msgspec.Raw = msgspec.Raw()


class _ListedFiles(Struct):
    """A page in JSON; what else it has takes no memory."""

    files: list[_ListedFile] = []


class _Page(Struct, frozen=True):
    """What an index answered for one project, as it is kept."""

    address: str
    status: int
    body: bytes = b""
    is_json: bool = False


class SourceArchives:
    """The source archives of indexes; the page of each project is asked for once. Safe to use from several threads.

    Args:
        web: The door to the network; where that is offline, only pages that are kept are known.
        kept: Pages of earlier.
    """

    def __init__(self, web: Web, kept: DiskCache) -> None:
        self._web = web
        self._kept = kept
        self._once = SingleFlight()

    def find(
        self, name: str, allowed: SpecifierSet, python: str, access: IndexAccess, indexes: Iterable[str]
    ) -> Sdist | None:
        """Find the source archive of a project.

        Args:
            allowed: Which versions may be taken.
            python: The version of Python that it is for.
            indexes: Addresses of indexes; the first that has one is taken.

        Returns:
            The archive; None where no index that answers has one.
        """
        # What was taken back is only for those who ask for exactly that version (PEP 592).
        pinned = any(each.operator in {"==", "==="} and "*" not in each.version for each in allowed)
        for index in indexes:
            page = self._asked(name, access, index)
            found = [
                archive
                for offer in offers(page.address, page.body, is_json=page.is_json)
                if (pinned or not offer.yanked) and _is_for(offer.python, python)
                for archive in _archive(offer, index)
                if archive.name == canonicalize_name(name) and allowed.contains(archive.version, prereleases=True)
            ]
            final = [each for each in found if not version(each.version).is_prerelease] or found
            if final:
                return max(final, key=lambda each: version(each.version))
        return None

    def addresses(self, name: str, access: IndexAccess, indexes: Iterable[str]) -> list[str]:
        """Return the addresses of all files that indexes have of a project."""
        pages = (self._asked(name, access, index) for index in indexes)
        return [each.url for page in pages for each in offers(page.address, page.body, is_json=page.is_json)]

    def listed(self, name: str, access: IndexAccess, indexes: Iterable[str]) -> tuple[list[str], bool]:
        """Return the addresses of all files, and whether each index that has some offers their metadata apart."""
        pages = [page for page in (self._asked(name, access, index) for index in indexes) if page.body]
        apart = all(b"core-metadata" in page.body or b"dist-info-metadata" in page.body for page in pages)
        return self.addresses(name, access, indexes), bool(pages) and apart

    def refusing(self, name: str, access: IndexAccess, indexes: Iterable[str]) -> str:
        """Return the index that refuses to tell what it has of a project; empty where none does."""
        pages = ((index, self._asked(name, access, index)) for index in indexes)
        return next((shown(index) for index, page in pages if page.status in _REFUSED), "")

    def _asked(self, name: str, access: IndexAccess, index: str) -> _Page:
        address = f"{without_user(index).rstrip('/')}/{canonicalize_name(name)}/"
        user = access.headers(index)
        return self._once.ask((address, user.get("Authorization", "")), lambda: self._page(address, user))

    def _page(self, address: str, user: Mapping[str, str]) -> _Page:
        """Return a page: from the index, else the last one that is known, else an empty one."""
        try:
            reply = self._web.get(address, {"Accept": _JSON_FIRST, **user}, limit_bytes=_MOST_PAGE_BYTES)
        except CannotFetchError:
            reply = None
        if reply is not None and reply.status == _OK:
            page = _Page(reply.address, _OK, reply.body, "json" in reply.headers.get("content-type", "").lower())
            self._kept.keep(_KIND, address, msgspec.msgpack.encode(page))
            return page
        known = self._kept.read(_KIND, address) if reply is None else None
        try:
            return msgspec.msgpack.decode(known or b"", type=learned(_Page))
        except msgspec.MsgspecError:
            return _Page(address, reply.status if reply else 0)


def offers(address: str, body: bytes, *, is_json: bool) -> Iterator[Offer]:
    """Yield the files that a page lists; of more than any page has, the first ones."""
    yield from islice(_listed(address, body) if is_json else _linked(address, body), _MOST_FILES)


def _linked(address: str, body: bytes) -> Iterator[Offer]:
    """Yield the files of a page in HTML."""
    for attributes in _tags(body.decode("utf-8", "replace")):
        link, python = _HREF.search(attributes), _PYTHON.search(attributes)
        try:
            url, fragment = (
                urldefrag(urljoin(address, html.unescape(link[1] or link[2] or link[3]))) if link else ("", "")
            )
            asked = html.unescape(next(filter(None, python.groups()), "")) if python else ""
        except ValueError:
            continue
        algorithm, _, digest = fragment.partition("=")
        if url:
            yield Offer(
                url=url,
                hashes={algorithm: digest} if digest else {},
                yanked="data-yanked" in attributes.lower(),
                python=asked,
            )


def _tags(text: str) -> Iterator[str]:
    """Yield what stands in the tags of links. Each is looked for behind the one before, so a page is read once."""
    at = broken = 0
    while (begin := _LINK_BEGIN.search(text, at)) is not None:
        attributes = _ATTRIBUTES.match(text, begin.end())
        if attributes is None:
            # It goes on to the end of the page, or has a quote that does: looking for its end took all of the page.
            at, broken = begin.end(), broken + 1
            if broken > _MOST_BROKEN_TAGS:
                return
            continue
        at = attributes.end()
        if at - attributes.start() <= _MOST_TAG_CHARACTERS:
            yield attributes[0]


def _listed(address: str, body: bytes) -> Iterator[Offer]:
    """Yield the files of a page in JSON."""
    try:
        files = msgspec.json.decode(body, type=learned(_ListedFiles)).files
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    for entry in files:
        hashes, python = _value(entry.hashes), _value(entry.requires_python)
        size = _value(entry.size)
        try:
            url = urljoin(address, entry.url)
        except ValueError:
            continue
        yield Offer(
            url=url,
            hashes={str(k): str(v) for k, v in hashes.items()} if isinstance(hashes, dict) else {},
            size_bytes=told_count(size) if isinstance(size, int) else None,
            yanked=bool(_value(entry.yanked)),
            python=python if isinstance(python, str) else "",
        )


def _value(raw: msgspec.Raw) -> object:
    """Return a value of a page; None where there is none, or none that is small."""
    if not raw or len(raw) > _MOST_VALUE_BYTES:
        return None
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def versions_asked_for(name: str, lines: Iterable[Requirement], target: Target) -> SpecifierSet:
    """Return which versions of a project some requirements allow together."""
    allowed = SpecifierSet()
    for asked in holding((each for each in lines if canonicalize_name(each.name) == canonicalize_name(name)), target):
        allowed &= asked.specifier
    return allowed


def unread_archive(wanted: Requirement) -> Other:
    """Return what stands for an archive that is not handed over."""
    return Other(
        name=canonicalize_name(wanted.name),
        requirement=shown(wanted.url or ""),
        reason="It is named by its address, and what it needs cannot be read, or comes from further addresses",
    )


def taken_from(archive: Sdist, named: Iterable[Requirement]) -> Requirement:
    """Return the requirement of a source archive by its address."""
    extras = sorted({extra for each in named if canonicalize_name(each.name) == archive.name for extra in each.extras})
    return Requirement(f"{archive.name}[{','.join(extras)}] @ {encoded(archive.url)}")


def suits(archive: Sdist, needed: Iterable[Requirement], target: Target) -> bool:
    """Whether a source archive is what wheels need: no other version, and without extras."""
    lines = [each for each in holding(needed, target) if canonicalize_name(each.name) == archive.name]
    versions = versions_asked_for(archive.name, lines, target)
    return versions.contains(archive.version, prereleases=True) and not any(each.extras for each in lines)


def needed_by(metadata: bytes) -> tuple[Requirement, ...]:
    """Return the requirements that a wheel has."""
    head = metadata.decode("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")[0]
    found = []
    lines = [line for line in head.split("\n") if line.startswith("Requires-Dist:")]
    for line in lines[:_MOST_NEEDS]:
        with contextlib.suppress(InvalidRequirement):
            found.append(requirement(line.partition(":")[2].strip()))
    return tuple(found)


def archive_at(url: str, name: str) -> Sdist:
    """Return the source archive behind an address, whatever its name says of it."""
    bare = urldefrag(without_user(url)).url
    filename = unquote(urlsplit(bare).path.rpartition("/")[2])
    return next(_archive(Offer(url=bare), ""), Sdist(name=canonicalize_name(name), filename=filename, url=bare))


def _archive(offer: Offer, index: str) -> Iterator[Sdist]:
    filename = unquote(urlsplit(offer.url).path.rpartition("/")[2])
    try:
        name, numbered = sdist_name(filename)
    except ValueError:
        return
    yield Sdist(
        name=name,
        version=str(numbered),
        filename=filename,
        url=offer.url,
        size_bytes=offer.size_bytes,
        hashes=tuple(sorted(offer.hashes.items())),
        index=without_user(index),
    )


def _is_for(declared: str, python: str) -> bool:
    """Whether what an archive says of the Python that it is for allows one."""
    try:
        return specifiers(declared).contains(python)
    except ValueError:
        return True
