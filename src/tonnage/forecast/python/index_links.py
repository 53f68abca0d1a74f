"""Pages of package indexes as they are passed on to the resolver: addresses of wheels lead to the stand-in.

Public:
    ``passed_on(page, plain=) -> bytes``.
    ``NOT_TOLD``: the hash that stands for none.
    ``small_wheel(filename, metadata) -> bytes``: what stands in for a wheel of which only the metadata is known.

Where a page lies at ``/SESSION/https/HOST/simple/NAME/``, an address ``https://FILES/a.whl`` becomes one that is
relative to it, ``../../../../https/FILES/a.whl``, so that every session is given the same bytes. What is not
recognised stays as it is, and the resolver asks there itself.

The resolver writes a hash of every file into its lock, and fetches the whole of what has none. Gigabytes would pass for
a page without hashes, or for a wheel that is named by its address, so both are given one that is taken out again.

Source: PEP 503, 658 and 691; the ways of writing links are those that uv 0.13.9 reads.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from tonnage.forecast.python.index_pages import listed
from tonnage.lazily import regex

if TYPE_CHECKING:
    from tonnage.forecast.python.index_pages import Offer, Page

# Everything in front of an address, the beginning of the address that tells where it starts from, the rest of it, what
# is asked of it, and its fragment.
# Pages have tens of thousands of links, so nothing that has matched is tried once more another way.
_WHEEL_LINK = regex(
    rb"<[aA]\b((?>(?:[^>\"']|\"[^\"]*\"|'[^']*')*?\s[hH][rR][eE][fF]\s*=\s*[\"']?))"
    rb"([hH][tT][tT][pP][sS]?://|//|/|(?![a-zA-Z][a-zA-Z0-9+.-]*:))"
    rb"((?:[^\"'#>?\s&]++|&#?)*+(?<=\.[wW][hH][lL])(?:\?(?:[^\"'#>\s&]++|&#?)*+)?)(#[^\"'>\s]*)?"
)
_HASH = regex(rb"#(?:md5|sha\d+|blake2b)=[0-9a-f]+", re.IGNORECASE)
NOT_TOLD = "0" * 64


def passed_on(page: Page, *, plain: bool) -> bytes:
    """Return a page with the addresses of its wheels changed, and their metadata promised."""
    if page.is_json:
        entries = [_entry(page, *each, plain=plain) for each in listed(page)]
        # What is no page of a project is for the resolver to tell.
        told = msgspec.json.decode(page.body) if entries else None
        return msgspec.json.encode({**told, "files": entries}) if told else page.body
    if b"<base" in page.body or b"<BASE" in page.body:
        return page.body
    scheme, host = (part.encode() for part in urlsplit(page.address)[:2])
    from_here = {b"//": scheme + b"://", b"/": scheme + b"://" + host + b"/"}
    up = _up(page)

    def changed(found: re.Match[bytes]) -> bytes:
        before, kind, rest, fragment = found.groups()
        start = from_here.get(kind, kind.lower())
        if plain:
            return b"<a" + before + start + rest + (fragment or b"")
        told = fragment if fragment and _has_hash(fragment) else b"#sha256=" + NOT_TOLD.encode()
        there = up + start.replace(b"://", b"/") if kind else b""
        return b'<a data-core-metadata="true"' + before + there + rest + told

    return _WHEEL_LINK.sub(changed, page.body)


def _has_hash(fragment: bytes) -> bool:
    return fragment.startswith(b"#sha256=") or _HASH.match(fragment) is not None


def _entry(page: Page, entry: dict[str, Any], offer: Offer, *, plain: bool) -> dict[str, Any]:
    """Return one file of a page in JSON."""
    if plain or not urlsplit(offer.url).path.endswith(".whl") or not offer.url.startswith(("http://", "https://")):
        return {**entry, "url": offer.url}
    there = _up(page).decode() + offer.url.replace("://", "/", 1)
    return {**entry, "url": there, "core-metadata": True, "hashes": dict(offer.hashes) or {"sha256": NOT_TOLD}}


def _up(page: Page) -> bytes:
    """Return the way from a page up to its session."""
    return b"../" * page.address.partition("?")[0].replace("://", "/", 1).count("/")


def small_wheel(filename: str, metadata: bytes) -> bytes:
    """Return a wheel that says the same of itself as another one, and holds nothing else."""
    information = f"{'-'.join(filename.split('-')[:2])}.dist-info"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{information}/METADATA", metadata)
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", "")
    return buffer.getvalue()
