"""Pools of connections, one for each proxy that the environment names, and whom they believe.

Source: curl's manual for the names and ``NO_PROXY``; networks in it as Go's ``httpproxy`` and uv 0.13.9 know them.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping

    import urllib3

    from tonnage.adapters.web.names import HostNames

_AT_ONCE = 16


class ProxyPools:
    """Pools of connections. Safe to use from several threads.

    Args:
        environment: Where proxies and authorities are named.
        names: Where the names of hosts are looked up.
    """

    def __init__(self, environment: Mapping[str, str], names: HostNames) -> None:
        self._environment = environment
        self._names = names
        self._pooling = threading.Lock()
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._named = _named_authorities(environment)
        self._authorities: set[str] = set()
        self._trusting: ssl.SSLContext | None = None

    def trust(self, authorities: str) -> None:
        """Believe a further file of certificates from now on; one that cannot be read changes nothing."""
        with self._pooling:
            # Those that the environment names are believed anyway, and reading them takes a tenth of a second.
            if authorities and authorities not in {self._named, *self._authorities}:
                self._authorities.add(authorities)
                if self._trusting is not None:
                    _believe(self._trusting, authorities)

    def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            pool.clear()

    def leading_to(self, address: str) -> urllib3.PoolManager:
        """Return the pool that leads to an address, through its proxy where it has one."""
        from urllib3 import PoolManager, ProxyManager, make_headers  # noqa: PLC0415

        from tonnage.adapters.web.sockets import PatientTlsSocket, pool_classes  # noqa: PLC0415 - with urllib3

        proxy = proxy_of(address, self._environment)
        # Reading the authorities takes a tenth of a second, and the first requests come from many threads at once.
        with self._pooling:
            if proxy not in self._pools:
                trust = self._trusting = self._trusting or _trust(self._named, self._authorities)
                trust.sslsocket_class = PatientTlsSocket
                if proxy:
                    user = urlsplit(proxy)
                    secret = f"{unquote(user.username)}:{unquote(user.password or '')}" if user.username else None
                    self._pools[proxy] = ProxyManager(
                        proxy,
                        proxy_headers=make_headers(proxy_basic_auth=secret),
                        maxsize=_AT_ONCE,
                        ssl_context=trust,
                        proxy_ssl_context=trust,
                    )
                else:
                    self._pools[proxy] = PoolManager(maxsize=_AT_ONCE, ssl_context=trust)
                self._pools[proxy].pool_classes_by_scheme = pool_classes(self._names)
            return self._pools[proxy]


def proxy_of(address: str, environment: Mapping[str, str]) -> str:
    """Return the proxy that leads to an address; empty where none does."""
    there = urlsplit(address)
    # Small letters sort last.
    named = {name.lower(): value for name, value in sorted(environment.items()) if name.lower().endswith("_proxy")}
    host, port = there.hostname or "", there.port
    for entry in (each.strip().lower() for each in named.get("no_proxy", "").split(",")):
        bare = entry.removeprefix("*").lstrip(".")
        if entry == "*" or (bare and (host == bare or host.endswith(f".{bare}") or f"{host}:{port}" == bare)):
            return ""
        if _is_within(host, entry):
            return ""
    chosen = named.get(f"{there.scheme}_proxy") or named.get("all_proxy", "")
    return f"http://{chosen}" if chosen and "://" not in chosen else chosen


def _is_within(host: str, network: str) -> bool:
    """Return whether a host is an address of a network, such as ``10.0.0.0/8``."""
    # Few need it, and everyone would wait for it.
    from ipaddress import ip_address, ip_network  # noqa: PLC0415

    try:
        return ip_address(host) in ip_network(network.strip("[]"), strict=False)
    except ValueError:
        return False


def _named_authorities(environment: Mapping[str, str]) -> str:
    """Return the file of certificates that the environment names; empty for none."""
    named = (environment.get(name, "") for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    return next((path for path in named if path and os.path.isfile(path)), "")  # noqa: PTH113 - as it is


def _trust(named: str, more: Iterable[str]) -> ssl.SSLContext:
    """Return whom to believe: the system's authorities, or those that the environment names, and further ones."""
    import ssl  # noqa: PLC0415

    trusting = ssl.create_default_context(cafile=named or None)
    for each in more:
        _believe(trusting, each)
    return trusting


def _believe(trusting: ssl.SSLContext, authorities: str) -> None:
    """Add the certificates of a file, where they can be read."""
    # What they are not is told when a server is not believed.
    with contextlib.suppress(OSError):
        trusting.load_verify_locations(cafile=authorities)
