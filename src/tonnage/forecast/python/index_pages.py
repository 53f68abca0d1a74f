"""The pages of package indexes: which files a project has. Each is fetched once, and kept as long as its index says.

Public:
    ``IndexPages(web, kept).page(address, access) -> Page``
    ``Page.offered(filename) -> Offer | None``: what it says of one file.

Pages are asked for in HTML, which takes a sixth less than JSON, because it tells neither sizes nor times; ``dated``
asks for JSON. Where an index does not answer, the last page that is known stands in for it, and is told to be old.

Source: PEP 503, 592, 629, 691, 700 and 714 for pages; RFC 9111 for how long an answer may be kept.
"""

from __future__ import annotations

import html
import re
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urljoin

import msgspec
from msgspec import Struct

from tonnage.adapters.web.single_flight import SingleFlight
from tonnage.errors import CannotFetchError
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tonnage.adapters.web.client import Reply, Web
    from tonnage.adapters.web.disk_cache import DiskCache
    from tonnage.forecast.python.index_access import IndexAccess

_KIND = "page-1"
_JSON = "application/vnd.pypi.simple.v1+json"
# Some indexes give JSON, or more than is needed, wherever a form of the interface's own is named.
_HTML_FIRST = "text/html, */*;q=0.1"
_JSON_FIRST = f"{_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_MOST_PAGE_BYTES = 64 << 20
_MOST_OPENED_BYTES = 512 << 20
_GZIP = 31
_OK, _UNCHANGED, _BROKEN = 200, 304, 500
_MAX_AGE = regex(r"\bmax-age=(\d{1,9})\b")
_ANCHOR = regex(r"<a\s((?:[^>\"']|\"[^\"]*\"|'[^']*')*)>", re.IGNORECASE)
_HREF = regex(r"\bhref\s*=\s*(?:\"([^\"]+)\"|'([^']+)'|([^\s\"'>]+))", re.IGNORECASE)
_METADATA = regex(r"\bdata-(?:core|dist-info)-metadata\b", re.IGNORECASE)
_PYTHON = regex(r"\bdata-requires-python\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
# A link is no longer than this; what lies in front of its address and behind it comes along.
_MOST_LINK_BYTES = 4096


class Offer(Struct, frozen=True, kw_only=True):
    """One file that a page lists.

    Args:
        url: Its address.
        hashes: Hexadecimal digests by algorithm.
        size_bytes: Its size; None where the page tells none.
        yanked: Whether it was taken back.
        metadata: Whether the index gives its metadata apart from it.
        python: Which versions of Python it is for; empty where nothing is said.
    """

    url: str
    hashes: Mapping[str, str] = {}
    size_bytes: int | None = None
    yanked: bool = False
    metadata: bool = False
    python: str = ""


class Page(Struct, frozen=True, kw_only=True):
    """What an index answered for one project.

    Args:
        status: The HTTP status.
        address: The address that answered in the end.
        kind: Its content type.
        body: Its bytes.
        age_s: How many seconds ago it was fetched, where it stands in for an index that does not answer; else 0.
    """

    status: int
    address: str
    kind: str = ""
    body: bytes = b""
    age_s: float = 0.0

    @property
    def is_json(self) -> bool:
        """Whether it is JSON, not HTML."""
        return "json" in self.kind

    def offers(self) -> Iterator[Offer]:
        """Yield every file that it lists."""
        if self.is_json:
            yield from (offer for _, offer in listed(self))
            return
        for found in _ANCHOR.finditer(self.body.decode("utf-8", "replace")):
            yield from self._offer(found[1])

    def offered(self, filename: str) -> Offer | None:
        """Return what it says of one file.

        Returns:
            The file; None where it is not listed.
        """
        if self.is_json:
            return next((offer for offer in self.offers() if _last_part(offer.url) == filename), None)
        # A page lists thousands of files: one is looked for in its text.
        at = -1
        while (at := self.body.find(filename.encode(), at + 1)) >= 0:
            if self.body[at - 1 : at] not in {b"/", b'"', b"'", b"="}:
                continue
            start = max(self.body.rfind(mark, max(0, at - _MOST_LINK_BYTES), at) for mark in (b"<a", b"<A"))
            found = start >= 0 and _ANCHOR.match(self.body[start : at + _MOST_LINK_BYTES].decode("utf-8", "replace"))
            offers = self._offer(found[1]) if found else ()
            offer = next((each for each in offers if _last_part(each.url) == filename), None)
            if offer is not None:
                return offer
        return None

    def _offer(self, attributes: str) -> Iterator[Offer]:
        link = _HREF.search(attributes)
        if link is None:
            return
        try:
            url, fragment = urldefrag(urljoin(self.address, html.unescape(link[1] or link[2] or link[3])))
        except ValueError:
            return
        algorithm, _, digest = fragment.partition("=")
        python = _PYTHON.search(attributes)
        yield Offer(
            url=url,
            hashes={algorithm: digest} if digest else {},
            yanked="data-yanked" in attributes.lower(),
            metadata=bool(_METADATA.search(attributes)),
            python=html.unescape(next(filter(None, python.groups()), "")) if python else "",
        )


def listed(page: Page) -> Iterator[tuple[dict[str, Any], Offer]]:
    """Yield the files of a page in JSON.

    Yields:
        The entry as it is written, and what it says.
    """
    try:
        told = msgspec.json.decode(page.body)
    except msgspec.DecodeError:
        return
    files = told.get("files") if isinstance(told, dict) else None
    for entry in files if isinstance(files, list) else ():
        if not isinstance(entry, dict) or not isinstance(entry.get("url"), str):
            continue
        hashes, size = entry.get("hashes"), entry.get("size")
        try:
            url = urljoin(page.address, entry["url"])
        except ValueError:
            continue
        yield (
            entry,
            Offer(
                url=url,
                hashes={str(k): str(v) for k, v in hashes.items()} if isinstance(hashes, dict) else {},
                size_bytes=size if isinstance(size, int) else None,
                yanked=bool(entry.get("yanked")),
                metadata=bool(entry.get("core-metadata") or entry.get("dist-info-metadata")),
                python=str(entry.get("requires-python") or ""),
            ),
        )


class _Stored(Struct, frozen=True, kw_only=True):
    """A page as it is kept."""

    address: str
    kind: str
    encoding: str
    body: bytes
    fresh_s: int = 0
    etag: str = ""
    modified: str = ""


class IndexPages:
    """Pages of indexes, each asked for once.

    Args:
        web: The door to the network; where that is offline, only pages that are kept are known.
        kept: Pages of earlier.
    """

    def __init__(self, web: Web, kept: DiskCache) -> None:
        self._web = web
        self._kept = kept
        self._once = SingleFlight()

    def page(self, address: str, access: IndexAccess, *, dated: bool = False) -> Page:
        """Return a page.

        Raises:
            CannotFetchError: The index cannot be reached and no earlier page is known, or it gives too much.
        """
        headers = access.headers(address)
        question = (address, dated, headers.get("Authorization", ""))
        return self._once.ask(question, lambda: self._page(address, headers, dated=dated))

    def _page(self, address: str, access_headers: Mapping[str, str], *, dated: bool) -> Page:
        name = f"{'dated ' if dated else ''}{address}"
        stored = self._stored(name)
        if stored is not None and (self._kept.age_s(_KIND, name) or 0.0) < stored.fresh_s:
            return _opened(stored)
        headers = {"Accept": _JSON_FIRST if dated else _HTML_FIRST, "Accept-Encoding": "gzip"}
        for header, told in (
            ("If-None-Match", stored and stored.etag),
            ("If-Modified-Since", stored and stored.modified),
        ):
            headers |= {header: told} if told else {}
        try:
            reply = self._web.get(address, headers | dict(access_headers), limit_bytes=_MOST_PAGE_BYTES)
        except CannotFetchError:
            if stored is None:
                raise
            return _opened(stored, self._kept.age_s(_KIND, name) or 0.0)
        if reply.status >= _BROKEN and stored is not None:
            return _opened(stored, self._kept.age_s(_KIND, name) or 0.0)
        if reply.status == _UNCHANGED and stored is not None:
            self._kept.keep(_KIND, name, msgspec.msgpack.encode(stored))
            return _opened(stored)
        if reply.status != _OK:
            return Page(status=reply.status, address=reply.address)
        fetched = _as_stored(reply)
        opened = _opened(fetched)
        if "no-store" not in reply.headers.get("cache-control", "").lower():
            self._kept.keep(_KIND, name, msgspec.msgpack.encode(fetched))
        return opened

    def _stored(self, name: str) -> _Stored | None:
        content = self._kept.read(_KIND, name)
        if content is None:
            return None
        try:
            stored = msgspec.msgpack.decode(content, type=_Stored)
            _opened(stored)
        except (msgspec.MsgspecError, CannotFetchError):
            return None
        return stored


def _as_stored(reply: Reply) -> _Stored:
    """Return an answer as it is kept: compressed where it came compressed."""
    control = reply.headers.get("cache-control", "").lower()
    holds, age = _MAX_AGE.search(control), reply.headers.get("age", "")
    return _Stored(
        address=reply.address,
        kind=reply.headers.get("content-type", "").lower(),
        encoding=reply.headers.get("content-encoding", "").strip().lower(),
        body=reply.body,
        # What stood in a cache on its way has used up a part of its time.
        fresh_s=int(holds[1]) - int(age if age.isdecimal() else 0) if holds and "no-cache" not in control else 0,
        etag=reply.headers.get("etag", ""),
        modified=reply.headers.get("last-modified", ""),
    )


def _opened(stored: _Stored, age_s: float = 0.0) -> Page:
    """Return a page that is kept.

    Raises:
        CannotFetchError: It is compressed in a way that nobody asked for, or damaged.
    """
    body = stored.body
    if stored.encoding == "gzip":
        opening = zlib.decompressobj(_GZIP)
        try:
            body = opening.decompress(body, _MOST_OPENED_BYTES)
        except zlib.error as error:
            raise CannotFetchError(f"The page {stored.address} is damaged", "not understood", why=str(error)) from error
        if not opening.eof or opening.unused_data:
            raise CannotFetchError(f"The page {stored.address} is damaged, or far too large", "not understood")
    elif stored.encoding not in {"", "identity"}:
        raise CannotFetchError(f"The page {stored.address} is compressed as {stored.encoding}", "not understood")
    return Page(status=_OK, address=stored.address, kind=stored.kind, body=body, age_s=age_s)


def _last_part(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]
