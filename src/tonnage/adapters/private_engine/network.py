"""A network namespace that reaches the outside through the host, so that the engine's rules and ports stay its own.

A second engine in the host's namespace would flush the first one's firewall chains and clash with its bridge and its
published ports. Whether the host forwards packets belongs to the machine, not to one directory of rehearsals: what was
found is remembered in one place, and whoever ends last puts it back, unless another program lives by it by then.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import json
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters.private_engine.layout import INTERFACE_PREFIX
from tonnage.adapters.private_engine.programs import command, succeeds
from tonnage.errors import StepFailedError
from tonnage.own_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    def cluster(self) -> str:
        """Where networks that span a cluster are taken from, when this engine is its first node."""
        return f"{self.block[64 * 256]}/18"

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
        "there is no free block of addresses for a rehearsal",
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
    for line in (
        f"ip netns add {netns}",
        f"ip link add {outside} mtu {mtu} type veth peer name {inside} mtu {mtu} netns {netns}",
        f"ip address add {addresses.host}/30 dev {outside}",
        f"ip link set {outside} up",
        f"ip -n {netns} address add {addresses.engine}/30 dev {inside}",
        f"ip -n {netns} link set {inside} up",
        f"ip -n {netns} link set lo up",
        f"ip -n {netns} route add default via {addresses.host}",
    ):
        command(line.split(), failing=failing)
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
        # Between private engines nothing is translated: the nodes of a cluster know each other by their addresses.
        ("nat", "POSTROUTING", ["-s", addresses.link, "!", "-o", f"{INTERFACE_PREFIX}+", *said, "-j", "MASQUERADE"]),
        ("filter", "FORWARD", ["-i", outside, *said, "-j", "ACCEPT"]),
        ("filter", "FORWARD", ["-o", outside, *said, "-j", "ACCEPT"]),
    ]


_SETTING = Path("/proc/sys/net/ipv4/ip_forward")
_BEFORE = Path("/run/tonnage-ip_forward.before")
_INTERFACES = Path("/sys/class/net")


def switch_on_forwarding() -> None:
    """Let the kernel forward packets, and remember the setting when it did not; the engine's link is there already."""
    with _locked():
        setting = _SETTING.read_text(encoding="ascii")
        if setting.strip() == "0":
            write_whole(_BEFORE, setting.encode())
            _SETTING.write_text("1\n", encoding="ascii")


def give_forwarding_back() -> None:
    """Give the host its setting back, when it was changed and no private engine of this machine has a link any more.

    It stays switched on where another program translates addresses: an engine that was started in the meantime found
    it on, and would lose the network of its containers.

    Raises:
        StepFailedError: The firewall's rules cannot be read.
    """
    with _locked():
        if not _BEFORE.exists() or any(_INTERFACES.glob(f"{INTERFACE_PREFIX}*")):
            return
        if not _others_translate():
            _SETTING.write_text(_BEFORE.read_text(encoding="ascii"), encoding="ascii")
        _BEFORE.unlink()


def _others_translate() -> bool:
    """Return whether the firewall still has a rule that sends packets of others on under the host's own address."""
    rules = command(["iptables", "-w", "-t", "nat", "-S", "POSTROUTING"], failing="The firewall cannot be read")
    return "MASQUERADE" in rules or "SNAT" in rules


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """Hold the lock of the setting: its own file, of which each network namespace has one."""
    with _SETTING.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
