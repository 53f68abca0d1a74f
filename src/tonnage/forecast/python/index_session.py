"""One run of the resolver as it sees package indexes: which addresses it is given, and what was met on its behalf.

Public:
    ``ResolverRun``: begun by :class:`tonnage.forecast.python.index_relay.IndexRelay`.
    ``WHEEL_ADDRESS``: the address of a wheel in a requirement.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from msgspec.structs import replace
from packaging.utils import canonicalize_name

from tonnage.forecast.python.index_links import NOT_TOLD
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.errors import CannotFetchError
    from tonnage.forecast.python.index_access import IndexAccess
    from tonnage.forecast.python.index_pages import IndexPages, Offer, Page
    from tonnage.forecast.python.wheels import WheelMetadata
    from tonnage.model.forecast.python_lock import ResolveRequest, Wheel

WHEEL_ADDRESS = regex(r"https?://[^\s;#\"']+\.whl(?:\?[^\s;#]*)?(?:#[^\s;]*)?", re.IGNORECASE)
_REFUSED = frozenset({401, 403, 407})


class ResolverRun:
    """One run of the resolver, and what it met.

    Args:
        pages: The pages of indexes.
        base: The address below which the stand-in answers for it.
        end: Is called when it is over.
        access: What identifies the user.
        dated: Whether the times of uploads are needed.
    """

    def __init__(
        self, pages: IndexPages, base: str, end: Callable[[], object], access: IndexAccess, *, dated: bool
    ) -> None:
        self._index_pages = pages
        self._base = base
        self._end = end
        self._pages: dict[str, list[Page]] = {}
        # Wheels that requirements name by their address, and the hashes that they name with it.
        self._apart: dict[str, tuple[tuple[str, str], ...]] = {}
        self.access = access
        self.dated = dated
        self.troubles: list[CannotFetchError] = []
        self.refused: list[str] = []
        self.metadata: dict[str, WheelMetadata] = {}
        self.oldest_s = 0.0
        # Set when metadata of a wheel could not be had: the resolver is to look for it itself.
        self.plain = False
        # What went wrong in here, which is nobody else's fault.
        self.failure: Exception | None = None

    def address(self, index: str) -> str:
        """Return the address that stands in for another."""
        parts = urlsplit(index)
        place = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return f"{self._base}/{parts.scheme}/{parts.netloc.rpartition('@')[2]}{place}"

    def request(self, request: ResolveRequest) -> ResolveRequest:
        """Return a request with addresses that stand in for those of pages and wheels."""

        def apart(found: re.Match[str]) -> str:
            address, _, fragment = found[0].partition("#")
            local = self.address(address)
            bare = self.restored(local)
            algorithm, _, digest = fragment.partition("&")[0].partition("=")
            self._apart[bare] = ((algorithm, digest),) if digest and algorithm != "egg" else ()
            return local.replace(self._base, f"{self._base}/apart", 1)

        return replace(
            request,
            requirements=tuple(WHEEL_ADDRESS.sub(apart, line) for line in request.requirements),
            find_links=tuple(self.address(link) if _is_remote(link) else link for link in request.find_links),
        )

    def told(self, wheel: Wheel) -> Wheel:
        """Return a wheel of the resolver's lock with what is really known of it."""
        hashes = tuple(pair for pair in wheel.hashes if pair[1] != NOT_TOLD)
        if wheel.url in self._apart:
            wheel = replace(wheel, size_bytes=None)
            hashes = self._apart[wheel.url]
        read = self.metadata.get(wheel.url)
        if read is None:
            return replace(wheel, hashes=hashes)
        return replace(
            wheel,
            hashes=hashes,
            size_bytes=read.size_bytes if wheel.size_bytes is None else wheel.size_bytes,
            metadata_bytes=read.part_bytes or len(read.text),
        )

    @property
    def is_locked_out(self) -> bool:
        """Whether a server refused, or was not believed: the resolver may have other keys, and other beliefs."""
        return bool(self.refused) or any("CERTIFICATE_VERIFY_FAILED" in each.why for each in self.troubles)

    def restored(self, text: str) -> str:
        """Return a text of the resolver with real addresses in place of those that stand in for them."""
        return regex(rf"{self._base}/(?:apart/)?(https?)/").sub(r"\1://", text)

    def page(self, address: str) -> Page:
        """Return the page of a project, and remember it.

        Raises:
            CannotFetchError: It cannot be had.
        """
        page = self._index_pages.page(address, self.access, dated=self.dated)
        self.oldest_s = max(self.oldest_s, page.age_s)
        if page.status in _REFUSED:
            self.refused.append(address)
        name = canonicalize_name(posixpath.basename(urlsplit(address).path.rstrip("/")))
        self._pages.setdefault(name, []).append(page)
        return page

    def offer(self, url: str) -> tuple[Offer | None, IndexAccess]:
        """Return what a page that was asked for says of a wheel, and what identifies the user to those who give it."""
        filename = posixpath.basename(urlsplit(url).path)
        bare = url.partition("?")[0]
        name = canonicalize_name(filename.partition("-")[0])
        others = (page for key, pages in list(self._pages.items()) if key != name for page in list(pages))
        for page in (*self._pages.get(name, ()), *others):
            offer = page.offered(filename)
            if offer is not None and offer.url.partition("?")[0] == bare:
                # Files of one index seldom lie below its address, and two indexes of a host can ask for two users.
                return offer, self.access.nearest_to(page.address)
        return None, self.access

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Answer nothing more for it."""
        self._end()


def _is_remote(url: str) -> bool:
    return url.startswith(("http://", "https://"))
