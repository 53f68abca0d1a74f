"""Hosts by their names: each is looked up once, so what is decided of an address holds for who is connected to.

Source: RFC 6890, as Python's ``ipaddress`` has it.
"""

from __future__ import annotations

import socket
import threading
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address, IPv6Address


class Nearness(IntEnum):
    """From how far away a host can be spoken to; who is led somewhere by a host is led no nearer than that is."""

    PUBLIC = 0
    PRIVATE = 1
    LINK = 2
    HERE = 3


class Found(Struct, frozen=True):
    """One address of a host.

    Args:
        family: Such as ``AF_INET``.
        address: The numbers.
        scope: What stands behind the port in an address of IPv6; empty else.
    """

    family: int
    address: str
    scope: tuple[int, ...] = ()

    def at(self, port: int) -> tuple[Any, ...]:
        """Return what a socket connects to."""
        return (self.address, port, *self.scope)


class HostNames:
    """The addresses of hosts. Safe to use from several threads.

    Args:
        within_s: How long a name is looked for.
    """

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._found: dict[str, tuple[Found, ...]] = {}

    def of(self, host: str) -> tuple[Found, ...]:
        """Return the addresses of a host: the same ones whenever it is asked for.

        Raises:
            OSError: It has none, or nobody tells them in time.
        """
        if host not in self._found:
            told = self._looked_up(host)
            self._found.setdefault(host, told)
        return self._found[host]

    def nearness(self, host: str) -> Nearness:
        """Return how near a host is: what counts is the nearest of its addresses.

        Raises:
            OSError: It has none.
        """
        return max(nearness_of(each.address) for each in self.of(host))

    def _looked_up(self, host: str) -> tuple[Found, ...]:
        """Ask the system, which has no limit of its own that can be set, in a thread that may be left behind."""
        answers: list[Sequence[Any] | Exception] = []

        def ask() -> None:
            try:
                answers.append(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                answers.append(error)

        asking = threading.Thread(target=ask, name="name", daemon=True)
        asking.start()
        asking.join(self._within_s)
        if not answers:
            raise socket.gaierror(socket.EAI_AGAIN, f"no name server gave its address within {self._within_s:g} s")
        told = answers[0]
        if isinstance(told, Exception):
            raise socket.gaierror(*told.args) if isinstance(told, socket.gaierror) else OSError(str(told))
        found = (Found(family, there[0], tuple(there[2:])) for family, _, _, _, there in told)
        return tuple(dict.fromkeys(found))


def nearness_of(numbers: str) -> Nearness:
    """Return how near an address is; what is no address in numbers is public."""
    from ipaddress import ip_address  # noqa: PLC0415 - where nothing is asked it is not needed

    try:
        address = ip_address(numbers.strip("[]").partition("%")[0])
    except ValueError:
        return Nearness.PUBLIC
    return max(_nearness(each) for each in (address, *_inside(address)))


def _inside(address: IPv4Address | IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the address of IPv4 that one of IPv6 stands for."""
    from ipaddress import IPv4Address, IPv6Address, ip_network  # noqa: PLC0415

    if not isinstance(address, IPv6Address):
        return ()
    translated = IPv4Address(int(address) & 0xFFFFFFFF) if address in ip_network("64:ff9b::/96") else None
    return tuple(each for each in (address.ipv4_mapped, address.sixtofour, translated) if each is not None)


def _nearness(address: IPv4Address | IPv6Address) -> Nearness:
    if address.is_loopback or address.is_unspecified:
        return Nearness.HERE
    if address.is_link_local:
        return Nearness.LINK
    mapped = getattr(address, "ipv4_mapped", None) is not None
    translated = str(address).startswith("64:ff9b:")
    return Nearness.PUBLIC if address.is_global or mapped or translated else Nearness.PRIVATE
