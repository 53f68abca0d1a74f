"""What is there on this machine: paths, what small files hold, and programs that listen on TCP ports."""

from __future__ import annotations

import errno
import hashlib
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.small_files import MOUNTED, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
_LISTENS = "0A"
_TABLES = ("/proc/self/net/tcp", "/proc/self/net/tcp6")


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


def listening(tables: Iterable[str] = _TABLES) -> tuple[tuple[str, int], ...]:
    """Return the TCP ports on which programs of this network listen, with their address; empty for every address.

    Source: Linux, Documentation/networking/proc_net_tcp.rst.
    """
    found = set()
    for table in tables:
        try:
            lines = Path(table).read_text(encoding="ascii", errors="replace").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if len(words) > 3 and words[3] == _LISTENS:  # noqa: PLR2004 - the state is the fourth word
                address, _, port = words[1].partition(":")
                found.add((_address(address), int(port, 16)))
    return tuple(sorted(found))


def _address(written: str) -> str:
    """Return an address as people write it: the kernel tells words of four bytes in the order of the machine."""
    words = [bytes.fromhex(written[at : at + 8])[::-1] for at in range(0, len(written), 8)]
    address = ipaddress.ip_address(b"".join(words))
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return "" if address.is_unspecified else str(address)
