"""A network namespace that reaches the outside through the host, so that the engine's rules and ports stay its own.

A second engine in the host's namespace would flush the first one's firewall chains and clash with its bridge and its
published ports.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters.private_engine.forwarding import switch_on_forwarding
from tonnage.adapters.private_engine.programs import command, succeeds
from tonnage.errors import StepFailedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tonnage.adapters.private_engine.layout import Layout

_CANDIDATES = tuple(
    [ipaddress.IPv4Network(f"10.{second}.0.0/16") for second in range(213, 255)]
    + [ipaddress.IPv4Network(f"172.{second}.0.0/16") for second in range(31, 15, -1)]
)
_USUAL_MTU = 1500


class Addresses(Struct, frozen=True):
    """How one block of addresses is divided.

    Args:
        block: The whole block, a /16.
    """

    block: ipaddress.IPv4Network

    @property
    def link(self) -> str:
        """The link between host and engine, as a network."""
        return f"{self.block[0]}/30"

    @property
    def host(self) -> str:
        """The host's end of the link."""
        return str(self.block[1])

    @property
    def engine(self) -> str:
        """The engine's end of the link, where published ports answer."""
        return str(self.block[2])

    @property
    def bridge(self) -> str:
        """Address and size of the engine's default bridge."""
        return f"{self.block[16 * 256 + 1]}/20"

    @property
    def pool(self) -> str:
        """Where further networks of the engine are taken from."""
        return f"{self.block[128 * 256]}/17"


def choose_block(routes: Iterable[str], claimed: Iterable[str]) -> str:
    """Choose a block of addresses that nothing on this machine uses.

    Raises:
        StepFailedError: All candidates are in use.
    """
    used = [
        ipaddress.IPv4Network(text, strict=False)
        for text in (*routes, *claimed)
        if text not in ("default", "0.0.0.0/0")
    ]
    for block in _CANDIDATES:
        if not any(block.overlaps(other) for other in used):
            return str(block)
    raise StepFailedError(
        "There is no free block of addresses for a rehearsal",
        why=f"Routes of this machine use all of {_CANDIDATES[0]} to {_CANDIDATES[-1]}.",
    )


def host_routes() -> list[str]:
    """Return the destinations of all IPv4 routes in all tables."""
    printed = command(["ip", "-json", "-4", "route", "show", "table", "all"], failing="The routes cannot be read")
    return [route["dst"] for route in json.loads(printed or "[]")]


def host_mtu() -> int:
    """Return the largest packet that leaves this machine, in bytes."""
    printed = command(["ip", "-json", "-4", "route", "show", "default"], failing="The routes cannot be read")
    for route in json.loads(printed or "[]"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            return int(Path(f"/sys/class/net/{route['dev']}/mtu").read_text(encoding="ascii"))
    return _USUAL_MTU


def open_network(layout: Layout, addresses: Addresses, mtu: int) -> None:
    """Make the namespace, its link to the host and the rules that let it out.

    Raises:
        StepFailedError: A program failed.
    """
    failing = "The network of the rehearsal cannot be made"
    netns, outside, inside = layout.netns, layout.interface, "uplink"
    size = str(mtu)
    for line in (
        ["ip", "netns", "add", netns],
        [
            "ip",
            "link",
            "add",
            outside,
            "mtu",
            size,
            "type",
            "veth",
            "peer",
            "name",
            inside,
            "mtu",
            size,
            "netns",
            netns,
        ],
        ["ip", "address", "add", f"{addresses.host}/30", "dev", outside],
        ["ip", "link", "set", outside, "up"],
        ["ip", "-n", netns, "address", "add", f"{addresses.engine}/30", "dev", inside],
        ["ip", "-n", netns, "link", "set", inside, "up"],
        ["ip", "-n", netns, "link", "set", "lo", "up"],
        ["ip", "-n", netns, "route", "add", "default", "via", addresses.host],
    ):
        command(line, failing=failing)
    for table, chain, rule in _rules(layout, addresses):
        command(["iptables", "-w", "-t", table, "-I", chain, *rule], failing=failing)
    switch_on_forwarding()


def close_network(layout: Layout, addresses: Addresses) -> None:
    """Remove rules, link and namespace; nothing happens for those that are not there."""
    for table, chain, rule in _rules(layout, addresses):
        while succeeds(["iptables", "-w", "-t", table, "-D", chain, *rule]):
            pass
    # The link goes at once; that of a namespace goes only after its last process.
    if Path(f"/sys/class/net/{layout.interface}").exists():
        succeeds(["ip", "link", "delete", layout.interface])
    if netns_path(layout).exists():
        succeeds(["ip", "netns", "delete", layout.netns])


def netns_path(layout: Layout) -> Path:
    """Return the file that stands for the network namespace."""
    return Path("/run/netns") / layout.netns


def _rules(layout: Layout, addresses: Addresses) -> list[tuple[str, str, list[str]]]:
    """Return table, chain and rule of each firewall rule; a host with an engine drops what is not let through."""
    said = ["-m", "comment", "--comment", layout.netns]
    outside = layout.interface
    return [
        ("nat", "POSTROUTING", ["-s", addresses.link, "!", "-o", outside, *said, "-j", "MASQUERADE"]),
        ("filter", "FORWARD", ["-i", outside, *said, "-j", "ACCEPT"]),
        ("filter", "FORWARD", ["-o", outside, *said, "-j", "ACCEPT"]),
    ]
