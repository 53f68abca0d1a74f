"""Which servers a forecast may ask; :class:`tonnage.adapters.web.client.Web` asks here before each request.

Of a stack that the user trusts all but those on this machine's link alone, where clouds keep credentials. Of one that
is not trusted: those below that are everybody's, those that the user configured, and those of ``ask_hosts`` as far as
their addresses are public. What one of them leads to, by a redirection, a list of files or a place for tokens, is asked
as well where it is public. An index says itself where its files lie.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from tonnage.adapters.web.names import Nearness, nearness_of
from tonnage.addresses import origin_of
from tonnage.errors import CannotFetchError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

ALL_HOSTS = "all"
PUBLIC = frozenset(
    {
        "docker.io", "index.docker.io", "registry-1.docker.io", "auth.docker.io", "ghcr.io", "quay.io", "gcr.io",
        "mcr.microsoft.com", "nvcr.io", "public.ecr.aws", "registry.k8s.io", "download.pytorch.org",
    }
)  # fmt: skip
"""Registries of images, and PyTorch's index, that are public and that ordinary projects use."""
_USUAL_PORTS = (80, 443)
_LINK = "It is an address that only this machine's own link has, where clouds keep credentials."


class Permission(Protocol):
    """Decides which addresses may be asked."""

    def __call__(self, address: str, resolved: Callable[[], Sequence[str]], /) -> str:
        """Decide about one address, before each request and for each address that one redirects to.

        Args:
            resolved: Looks up its host, and returns the numbers of IPv4 or IPv6; none behind a proxy, which looks it
                up itself. Nobody learns of the name before this is called, and the connection leads to one of these
                numbers and to no other. Raises CannotFetchError where the host is not found.

        Returns:
            Why it may not be asked, in one sentence; empty where it may.
        """


class AskedServers:
    """Says of addresses whether they may be asked. Satisfies ``Permission``. Safe to use from several threads.

    Args:
        untrusted: Only certain servers are asked.
        configured: Tell addresses that the user configured, whose servers may be asked wherever they are; the later
            ones are only looked at for what is in none before.
        ask_hosts: Further hosts, as far as they are public; ``all`` for every one.
    """

    def __init__(
        self,
        *,
        untrusted: bool = False,
        configured: Sequence[Callable[[], Iterable[str]]] = (),
        ask_hosts: Collection[str] = (),
    ) -> None:
        self._untrusted = untrusted
        self._configured = list(configured)
        self._own: set[tuple[str, int]] = set()
        self._ask_hosts = frozenset(ask_hosts)
        self._led: set[str] = set()
        self._lock = threading.Lock()

    def lead(self, addresses: Iterable[str]) -> None:
        """Let be asked what a server that may be asked has named, where it is public."""
        self._led.update(map(_bare, addresses))

    def __call__(self, address: str, resolved: Callable[[], Sequence[str]], /) -> str:
        """Return why an address may not be asked; empty where it may."""
        origin = origin_of(address)
        host = origin[1] if origin is not None else ""
        usual_port = origin is not None and origin[2] in _USUAL_PORTS
        if not self._untrusted:
            try:
                return _LINK if _nearness(host, resolved) is Nearness.LINK else ""
            except CannotFetchError:
                # Whoever asks is told that it is not found.
                return ""
        if (usual_port and host in PUBLIC) or (origin is not None and self._is_own(origin[1:])):
            return ""
        named = ALL_HOSTS in self._ask_hosts or host in self._ask_hosts or _bare(address) in self._led
        if not named:
            return f"--untrusted asks {host} only with --ask-hosts {host}."
        if _nearness(host, resolved) is not Nearness.PUBLIC:
            return f"--untrusted asks public addresses only, and {host} is none: a setting of the user's can name it."
        return ""

    def _is_own(self, server: tuple[str, int]) -> bool:
        with self._lock:
            while server not in self._own and self._configured:
                told = map(origin_of, self._configured.pop(0)())
                self._own.update(origin[1:] for origin in told if origin is not None)
            return server in self._own


def public_only(address: str, resolved: Callable[[], Sequence[str]]) -> str:
    """Let servers be asked that everybody reaches, over TLS: for an address that a project's files name."""
    origin = origin_of(address)
    if origin is None or origin[0] != "https":
        return "Files of a project name https addresses only."
    if _nearness(origin[1], resolved) is not Nearness.PUBLIC:
        return f"Files of a project name public addresses only, and {origin[1]} is none."
    return ""


def _nearness(host: str, resolved: Callable[[], Sequence[str]]) -> Nearness:
    """Return how near a host is; behind a proxy, which looks it up itself, what its name says."""
    named = Nearness.HERE if host in {"localhost", ""} or host.endswith(".localhost") else nearness_of(host)
    return max((named, *map(nearness_of, resolved())))


def _bare(address: str) -> str:
    """Return what tells files of an index apart: what it says of a wheel lies beside it."""
    return address.partition("#")[0].partition("?")[0].removesuffix(".metadata")
