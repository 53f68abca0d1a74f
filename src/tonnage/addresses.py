"""Addresses as text: what of them may be shown, and to whom what was given for one of them may go. Pure, never raises.

A name and password are cut out of an address before it is shown or kept, also of one that cannot be taken apart, and of
addresses that stand somewhere in a text of others.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Iterable
    from re import Match

# Each match begins at its own ``://``, so that a text of any length is read once.
_ADDRESS = regex(r"://((?:(?!://)[^\s\"'<>`])*)")
_SECRET_VALUE = regex(
    r"([?&;](?:[^=&;#\s]{0,64}[._-])?(?:token|key|api_?key|access_?key|secret|password|passwd|pwd|sig|signature|auth"
    r"|authorization|credential|credentials)=)[^&;#\s]+",
    2,  # re.IGNORECASE
)
_PORTS = {"http": 80, "https": 443}
_HIDDEN = "***"
Origin = tuple[str, str, int]
"""Scheme, host and port: what was given for one goes to no other."""


# Of the thousands of wheels of a lock the same is asked for each fix of a file that may bring them.
@lru_cache(8192)
def origin_of(address: str) -> Origin | None:
    """Return the server that an address leads to; None where it is no address of one."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    if scheme not in _PORTS or not host:
        return None
    return scheme, host, _PORTS[scheme] if port is None else port


def hosts_of(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the hosts of addresses, each once; what is none has none."""
    return tuple(dict.fromkeys(found[1] for each in addresses if (found := origin_of(each)) is not None))


def same_origin(one: str, other: str) -> bool:
    """Tell whether two addresses lead to the same server."""
    return (origin := origin_of(one)) is not None and origin == origin_of(other)


def without_user(address: str) -> str:
    """Return an address as it may be kept: without a name and password."""
    scheme, separator, rest = address.partition("://")
    return f"{scheme}{separator}{rest[_user_end(rest) :]}" if separator else address


def shown(address: str) -> str:
    """Return an address as it may be shown: without name, password and query, which can hold secrets."""
    bare = without_user(address)
    if "://" not in bare:
        return bare
    return bare.partition("#")[0].partition("?")[0]


def redacted(text: str) -> str:
    """Return a text of others without the names and passwords of addresses in it, and without keys in their queries."""
    if "://" not in text:
        return text
    return _ADDRESS.sub(_hidden, text)


def _hidden(found: Match[str]) -> str:
    rest = found[1]
    end = _user_end(rest)
    user = rest[: max(0, end - 1)]
    web = found.string[max(0, found.start() - 5) : found.start()].lower().endswith(("http", "https"))
    # The user of ``ssh://git@HOST`` is a name; in front of a web server it can be a token.
    if end and (web or ":" in user):
        rest = f"{_HIDDEN}@{rest[end:]}"
    if "=" in rest:
        rest = _SECRET_VALUE.sub(rf"\g<1>{_HIDDEN}", rest)
    return f"://{rest}"


def _user_end(rest: str) -> int:
    """Return where the name and password end that an address begins with, behind their ``@``; 0 where there is none."""
    ends = [at for mark in "/?#\\" if (at := rest.find(mark)) >= 0]
    server = rest[: min(ends)] if ends else rest
    at = server.rfind("@")
    if at >= 0:
        return at + 1
    # What follows the colon is no port: it is a password with a slash, which nobody encoded.
    _, colon, told = server.rpartition(":")
    if colon and told and not (told.isascii() and told.isdigit()) and not server.startswith("["):
        return rest.rfind("@") + 1
    return 0
