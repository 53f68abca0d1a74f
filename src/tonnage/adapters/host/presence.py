"""What is there on this machine: paths, what small files hold, and programs that listen on ports."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.small_files import MOUNTED, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
_LISTENS = {"tcp": "0A", "udp": "07"}
TABLES = ("tcp", "tcp6", "udp", "udp6")


def missing(paths: Iterable[str]) -> frozenset[str]:
    """Return the paths where nothing is. What this user may not look at counts as there."""
    return frozenset(path for path in paths if not _is_there(path))


def _is_there(path: str) -> bool:
    try:
        Path(path).stat()
    except ValueError:  # no file can have such a name
        return False
    except OSError as error:
        return error.errno not in _NOT_THERE
    return True


def content_digest(path: str) -> str:
    """Return a hash of what a secret or config holds; empty where this user cannot read it, or it is no small file."""
    try:
        return hashlib.sha256(read_bytes(path, MOUNTED)).hexdigest()
    except OSError:
        return ""


def listening(place: str = "/proc/self/net") -> tuple[tuple[str, int, str], ...]:
    """Return the ports on which programs of this network listen, with address (empty: every one) and protocol."""
    told = {}
    for table in TABLES:
        with contextlib.suppress(OSError):
            told[table] = Path(place, table).read_text(encoding="ascii", errors="replace")
    return listeners(told)


def listeners(told: Mapping[str, str]) -> tuple[tuple[str, int, str], ...]:
    """Return the same from what the kernel tells, by table.

    Source: Linux, Documentation/networking/proc_net_tcp.rst; a socket of UDP that has no other side is in state 7.
    """
    found = set()
    for table, text in told.items():
        protocol = table.removesuffix("6")
        for line in text.splitlines()[1:]:
            words = line.split()
            if len(words) > 3 and words[3] == _LISTENS[protocol]:  # noqa: PLR2004 - the state is the fourth word
                address, _, port = words[1].partition(":")
                with contextlib.suppress(ValueError):
                    found.add((_address(address), int(port, 16), protocol))
    return tuple(sorted(found))


def _address(written: str) -> str:
    """Return an address as people write it: the kernel tells words of four bytes in the order of the machine."""
    words = [bytes.fromhex(written[at : at + 8])[::-1] for at in range(0, len(written), 8)]
    address = ipaddress.ip_address(b"".join(words))
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return "" if address.is_unspecified else str(address)
