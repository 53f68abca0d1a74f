"""Whether the resolver would ask a server that may not be asked: it makes its own requests, so it is seen before.

The resolver refuses what a package of an index names by an address, and archives that are named by their address come
to it as files of ours (``direct_archives``).

Source: uv 0.13.9, tried with a loopback index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.addresses import origin_of, shown
from tonnage.errors import CannotFetchError
from tonnage.forecast.python.resolver_lines import sorted_out
from tonnage.model.forecast.python_lock import OF_CONTEXT

if TYPE_CHECKING:
    from tonnage.adapters.web.client import Web
    from tonnage.forecast.python.index_access import IndexAccess
    from tonnage.forecast.python.source_archives import SourceArchives
    from tonnage.forecast.python.uv import Uv
    from tonnage.model.forecast.python_lock import Lock, ResolveRequest


def check_servers(request: ResolveRequest, access: IndexAccess, web: Web) -> None:
    """Check every address that the resolver is given.

    Raises:
        CannotFetchError: One may not be asked.
        CannotResolveError: A requirement is none.
    """
    if not web.asks_some:
        return
    named = [*sorted_out(request.requirements)[0], *sorted_out(request.constraints)[0]]
    urls = (each.url for each in named)
    for address in (access.index_url, *access.extra_index_urls, *request.find_links, *urls):
        if address and address.startswith(("http://", "https://")) and not address.startswith(OF_CONTEXT):
            web.check(address)


def check_further(request: ResolveRequest, *, offline: bool) -> None:
    """Check that no further index is left out, because there is no page of it: it would seem to offer nothing.

    It may be the one that has the package which is meant, such as PyTorch without CUDA.

    Raises:
        CannotFetchError: Pages of earlier are to stand in for one.
    """
    further = [url for url in request.extra_index_urls if url.startswith(("http://", "https://"))]
    if offline and further:
        why = "It may have other builds than the usual index."
        raise CannotFetchError(f"{shown(further[0])} cannot be asked", "offline", why=why)


def lead_by_indexes(lock: Lock, uv: Uv, archives: SourceArchives, access: IndexAccess, web: Web) -> Lock:
    """Return a lock of the project's, whose files may be asked where an index that may be asked has such ones.

    A lock names the servers of its files itself. Of each server that may not be asked, one file is looked up.
    """
    if not web.asks_some:
        return lock
    told = (*((each.name, each.url) for each in lock.wheels), *((each.name, each.url) for each in lock.sdists))
    files = [(name, url) for name, url in told if url.startswith("http")]
    indexes = [*access.extra_index_urls, access.index_url or uv.default_index(access)]
    known: dict[object, bool] = {}
    for name, url in files:
        origin = origin_of(url)
        if origin not in known:
            known[origin] = any(origin_of(each) == origin for each in archives.addresses(name, access, indexes))
    web.lead(url for _, url in files if known[origin_of(url)])
    return lock
