"""Whether the host forwards packets: switched on for private engines, and given back after the last one of the machine.

The setting belongs to the machine, not to one directory of rehearsals: what was found is remembered in one place, and
whoever ends last puts it back, unless another program lives by it by then.
"""

from __future__ import annotations

import contextlib
import fcntl
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.adapters.private_engine.layout import INTERFACE_PREFIX
from tonnage.adapters.private_engine.programs import command

if TYPE_CHECKING:
    from collections.abc import Iterator

_SETTING = Path("/proc/sys/net/ipv4/ip_forward")
_BEFORE = Path("/run/tonnage-ip_forward.before")
_INTERFACES = Path("/sys/class/net")


def switch_on_forwarding() -> None:
    """Let the kernel forward packets, and remember the setting when it did not; the engine's link is there already."""
    with _locked():
        setting = _SETTING.read_text(encoding="ascii")
        if setting.strip() == "0":
            _BEFORE.write_text(setting, encoding="ascii")
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
