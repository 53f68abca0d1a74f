"""How package indexes are reached from here: addresses, certificates and names that the user has set for pip and uv.

The only addresses are those that the user or the Dockerfile wrote; without any, the resolver's own default holds.
A directory of this machine that pip's settings name is left out and told: the build inside an image cannot see it.

Source: https://pip.pypa.io/en/stable/topics/configuration/ (pip 26.3), uv 0.13.9 ``uv pip compile --help``.
"""

from __future__ import annotations

import base64
import configparser
import netrc
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from tonnage.errors import CannotResolveError
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from urllib.parse import SplitResult

    from tonnage.model.forecast.python_lock import ResolveRequest

_UV_INDEX_NAMES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
_AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_UV_MORE_INDEX_NAMES = ("UV_INDEX", "UV_EXTRA_INDEX_URL")


class IndexAccess(Struct, frozen=True, kw_only=True):
    """How to reach the indexes of one request.

    Args:
        index_url: In place of the resolver's default; empty to leave it.
        extra_index_urls: Further indexes.
        certificates: A file of certificates to trust; empty for the usual ones.
        trusted_hosts: Hosts whose certificate is not checked.
        credentials: Triples of what is protected, name and password: an address without a user, or a host.
        left_out: Settings of this machine that a build cannot see.
    """

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    certificates: str = ""
    trusted_hosts: tuple[str, ...] = ()
    credentials: tuple[tuple[str, str, str], ...] = ()
    left_out: tuple[str, ...] = ()

    def headers(self, url: str) -> dict[str, str]:
        """Return what identifies the user to the host of an address.

        Several indexes of one host can ask for different users: those of the address that is nearest above come first,
        then those of the same server, then those of the host.
        """
        asked = urlsplit(url)
        nearest = max(self.credentials, key=lambda known: _nearness(known[0], asked), default=None)
        if nearest is None or not _nearness(nearest[0], asked):
            return {}
        pair = base64.b64encode(f"{nearest[1]}:{nearest[2]}".encode()).decode("ascii")
        return {"Authorization": f"Basic {pair}"}

    def nearest_to(self, address: str) -> IndexAccess:
        """Return the same with the user of one address before all others, where several are as near."""
        asked = urlsplit(address)
        return replace(self, credentials=tuple(sorted(self.credentials, key=lambda known: -_nearness(known[0], asked))))

    def knowing(self, urls: Iterable[str]) -> IndexAccess:
        """Return the same with the users that further addresses name."""
        return replace(self, credentials=tuple(dict.fromkeys((*self.credentials, *_users(urls)))))


def index_access(request: ResolveRequest, environment: Mapping[str, str]) -> IndexAccess:
    """Find how the indexes of a request are reached.

    Raises:
        CannotResolveError: An address is none.
    """
    settings = _pip_settings(environment)
    index_url = request.index_url
    if not index_url and not any(environment.get(name) for name in _UV_INDEX_NAMES):
        index_url = settings.get("index-url", "").strip()
    wanted = settings.get("extra-index-url", "").split()
    extra = [url for url in wanted if _is_remote(url)]
    if not _is_remote(index_url) and index_url != request.index_url:
        wanted.append(index_url)
        index_url = ""
    left_out = [url for url in (*wanted, *settings.get("find-links", "").split()) if url and not _is_remote(url)]
    named = (environment.get(name, "").strip() for name in _UV_INDEX_NAMES)
    more = (url for name in _UV_MORE_INDEX_NAMES for url in environment.get(name, "").split())
    urls = (index_url, *request.extra_index_urls, *extra, *map(_unnamed, (*named, *more)))
    for url in urls:
        _check(url)
    return IndexAccess(
        index_url=index_url,
        extra_index_urls=tuple(dict.fromkeys((*request.extra_index_urls, *extra))),
        certificates=settings.get("cert", "") or next(filter(None, map(environment.get, _AUTHORITIES)), ""),
        trusted_hosts=tuple(settings.get("trusted-host", "").split()),
        credentials=tuple(_credentials(urls, environment)),
        left_out=tuple(left_out),
    )


def _check(url: str) -> None:
    """Refuse what cannot be taken apart as an address.

    Raises:
        CannotResolveError: It cannot.
    """
    try:
        _ = urlsplit(url).port
    except ValueError as error:
        raise CannotResolveError(
            f"{url} is no address of a package index", "invalid", why=f"{error}.", todo="Correct the address."
        ) from error


def _is_remote(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _pip_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return pip's settings that concern indexes; the environment last, because it wins."""
    settings: dict[str, str] = {}
    for path in _pip_files(environment):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update({name.replace("_", "-"): value for name, value in parser.items(section)})
    for name in ("index-url", "extra-index-url", "cert", "trusted-host", "find-links"):
        told = environment.get(f"PIP_{name.upper().replace('-', '_')}")
        if told:
            settings[name] = told
    return settings


def _pip_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the files of pip's settings, weakest first."""
    own = environment.get("PIP_CONFIG_FILE", "")
    if own == "/dev/null":
        return
    for directory in (environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"):
        yield Path(directory) / "pip" / "pip.conf"
    yield Path("/etc/pip.conf")
    home = environment.get("HOME", "")
    if home:
        yield Path(home) / ".pip" / "pip.conf"
        yield Path(environment.get("XDG_CONFIG_HOME") or Path(home) / ".config") / "pip" / "pip.conf"
    if environment.get("VIRTUAL_ENV"):
        yield Path(environment["VIRTUAL_ENV"]) / "pip.conf"
    if own:
        yield Path(own)


def _unnamed(url: str) -> str:
    """Return the address of an index of uv's settings without the name that may stand before it."""
    return regex(r"^[A-Za-z0-9_.-]+=(?=[a-z]+:)").sub("", url)


def _nearness(protected: str, asked: SplitResult) -> int:
    """Return how much of an address what is protected has in common with it; 0 where it is another host."""
    if "/" not in protected:
        return int(protected == asked.hostname)
    there = urlsplit(protected)
    if there.hostname != asked.hostname or (there.scheme == "https" and asked.scheme == "http"):
        return 0
    same_server = (there.scheme, there.netloc) == (asked.scheme, asked.netloc.rpartition("@")[2])
    path = there.path.rstrip("/")
    above = same_server and (asked.path == path or asked.path.startswith(f"{path}/"))
    return 4 + len(path) if above else 2 + same_server


def _users(urls: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the users that addresses name, and what they protect."""
    for url in urls:
        parts = urlsplit(url)
        if parts.hostname and parts.username:
            bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
            yield bare.geturl(), unquote(parts.username), unquote(parts.password or "")


def _credentials(urls: tuple[str, ...], environment: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield what identifies the user to hosts: from the addresses, then from the user's netrc file."""
    yield from _users(urls)
    path = environment.get("NETRC") or str(Path(environment.get("HOME") or "/") / ".netrc")
    try:
        hosts = netrc.netrc(path).hosts
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return
    for host, (login, _account, password) in hosts.items():
        if host != "default":
            yield host, login or "", password or ""
