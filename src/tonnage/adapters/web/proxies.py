"""Which proxy leads to an address, as the environment names them.

Source: curl's manual for the names and ``NO_PROXY``; networks in it as Go's ``httpproxy`` and uv 0.13.9 know them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


def proxy_of(address: str, environment: Mapping[str, str]) -> str:
    """Return the proxy that leads to an address; empty where none does.

    Args:
        address: The address.
        environment: Where proxies are named; a name in small letters wins.
    """
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
