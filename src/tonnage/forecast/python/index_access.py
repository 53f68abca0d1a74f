"""How package indexes are reached from here: addresses, certificates and names that the user has set for pip and uv.

The only addresses are those that the user or the Dockerfile wrote; without any, the resolver's own default holds.
A directory of this machine that settings name is left out and told: the build inside an image cannot see it. What of
the settings concerns indexes is read here, and the resolver reads none of them itself.

Source: https://pip.pypa.io/en/stable/topics/configuration/ (pip 26.3), uv 0.13.9 ``uv pip compile --help``.
"""

from __future__ import annotations

import base64
import configparser
import netrc
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from tonnage.addresses import origin_of, shown, without_user
from tonnage.errors import CannotResolveError
from tonnage.forecast.python.toml_text import read_toml
from tonnage.lazily import regex
from tonnage.small_files import SETTINGS, opened, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tonnage.model.forecast.python_lock import ResolveRequest

_AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class IndexAccess(Struct, frozen=True, kw_only=True):
    """How to reach the indexes of one request.

    Args:
        index_url: In place of the resolver's default; empty to leave it.
        extra_index_urls: Further indexes.
        certificates: A file of certificates to trust; empty for the usual ones.
        system_certificates: Whether the resolver trusts the system's certificates.
        trusted_hosts: Hosts whose certificate is not checked.
        credentials: Triples of what is protected, name and password: an address without a user, or a host.
        left_out: Settings of this machine that a build cannot see.
    """

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    certificates: str = ""
    system_certificates: bool = False
    trusted_hosts: tuple[str, ...] = ()
    credentials: tuple[tuple[str, str, str], ...] = ()
    left_out: tuple[str, ...] = ()

    def headers(self, url: str) -> dict[str, str]:
        """Return what identifies the user to the server of an address.

        Several indexes of one server can ask for different users: those of the address that is nearest above come
        first, then those of the same server, then those that a netrc file has for the host, which go over https alone.
        """
        user = self._user(url)
        if user is None:
            return {}
        pair = base64.b64encode(":".join(user).encode()).decode("ascii")
        return {"Authorization": f"Basic {pair}"}

    def signed(self, url: str) -> str:
        """Return an address with the user that it is known to ask for."""
        parts = urlsplit(url)
        user = None if parts.username else self._user(url)
        if user is None:
            return url
        return parts._replace(netloc=f"{':'.join(quote(each, safe='') for each in user)}@{parts.netloc}").geturl()

    def _user(self, url: str) -> tuple[str, str] | None:
        nearest = max(self.credentials, key=lambda known: _nearness(known[0], url), default=None)
        return None if nearest is None or not _nearness(nearest[0], url) else nearest[1:]

    def knowing(self, urls: Iterable[str]) -> IndexAccess:
        """Return the same with the users that further addresses name."""
        return replace(self, credentials=tuple(dict.fromkeys((*self.credentials, *_users(urls)))))


def index_access(request: ResolveRequest, environment: Mapping[str, str]) -> IndexAccess:
    """Find how the indexes of a request are reached.

    Raises:
        CannotResolveError: An address is none, or is one that only the build sees.
    """
    if request.index_url and not _is_remote(request.index_url):
        raise CannotResolveError(
            f"The package index {shown(request.index_url)} is known to the build alone", "missing",
            why="It is a place in the image.",
        )  # fmt: skip
    pip, uv = _pip_settings(environment), _uv_settings(environment)
    names: dict[str, str] = {}
    of_uv = {key: [_unnamed(url, names) for url in urls] for key, urls in _uv_indexes(uv, environment).items()}
    defaults = (request.index_url, *of_uv["environment"], pip.get("index-url", "").strip(), *of_uv["default"])
    index_url = next((url for url in defaults if _is_remote(url)), "")
    wanted = [*request.extra_index_urls, *pip.get("extra-index-url", "").split(), *of_uv["extra"]]
    extra = tuple(dict.fromkeys(filter(_is_remote, wanted)))
    for url in filter(_is_remote, (index_url, *extra, *request.find_links)):
        _check(url)
    # What the project names and no server has lies in the image: that is told elsewhere.
    places = (*defaults, *wanted[len(request.extra_index_urls) :], *pip.get("find-links", "").split())
    return IndexAccess(
        index_url=index_url,
        extra_index_urls=extra,
        certificates=pip.get("cert", "") or next(filter(None, map(environment.get, _AUTHORITIES)), ""),
        system_certificates=any(str(uv.get(name)).lower() in {"true", "1"} for name in ("system-certs", "native-tls")),
        trusted_hosts=(*pip.get("trusted-host", "").split(), *_texts(uv.get("allow-insecure-host"))),
        credentials=tuple(_credentials((index_url, *extra), names, environment)),
        left_out=tuple(dict.fromkeys(shown(url) for url in places if url and not _is_remote(url))),
    )


def _check(url: str) -> None:
    """Refuse what cannot be taken apart as an address.

    Raises:
        CannotResolveError: It cannot.
    """
    # What Python says of it can hold the password.
    if origin_of(url) is None:
        raise CannotResolveError(
            f"{shown(url)} is not the address of a package index", "invalid", why="Its host or its port is none.",
            todo="Correct the address. In a name and password, write what is no letter or digit as in %21 for '!'.",
        )  # fmt: skip


def _is_remote(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _pip_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return pip's settings that concern indexes; the environment last, because it wins."""
    settings: dict[str, str] = {}
    for path in _pip_files(environment):
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(read_text(path, SETTINGS))
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


def _uv_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return uv's settings: of the file that the environment names, else of the system and of the user."""
    home = environment.get("HOME", "")
    shared = (environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    files = [Path("/etc/uv/uv.toml"), *(Path(each) / "uv" / "uv.toml" for each in shared)]
    if environment.get("XDG_CONFIG_HOME") or home:
        files.append(Path(environment.get("XDG_CONFIG_HOME") or Path(home) / ".config") / "uv" / "uv.toml")
    if environment.get("UV_CONFIG_FILE"):
        files = [Path(environment["UV_CONFIG_FILE"])]
    settings: dict[str, Any] = {}
    for path in files:
        try:
            told = read_toml(read_text(path, SETTINGS), str(path))
        except (OSError, ValueError, CannotResolveError):
            continue
        of_pip = told.get("pip")
        settings |= told | (of_pip if isinstance(of_pip, dict) else {})
    for name, variable in (
        ("system-certs", "UV_SYSTEM_CERTS"), ("native-tls", "UV_NATIVE_TLS"),
        ("allow-insecure-host", "UV_INSECURE_HOST"),
    ):  # fmt: skip
        settings |= {name: environment[variable]} if environment.get(variable) else {}
    return settings


def _uv_indexes(settings: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the indexes of uv's settings: of the environment in place of the default, of files, and further ones."""
    told = settings.get("index")
    tables = [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []
    tables = [each for each in tables if isinstance(each.get("url"), str) and not each.get("explicit")]
    written = [(f"{each.get('name', '')}=".lstrip("=") + each["url"], bool(each.get("default"))) for each in tables]
    return {
        "environment": [environment.get("UV_DEFAULT_INDEX", "").strip(), environment.get("UV_INDEX_URL", "").strip()],
        "default": [*(url for url, default in written if default), *_texts(settings.get("index-url"))],
        "extra": [
            *environment.get("UV_INDEX", "").split(),
            *environment.get("UV_EXTRA_INDEX_URL", "").split(),
            *(url for url, default in written if not default),
            *_texts(settings.get("extra-index-url")),
        ],
    }


def _texts(told: object) -> list[str]:
    """Return the words of a setting that is a text or a list of texts."""
    return [
        word for each in (told if isinstance(told, list) else [told]) if isinstance(each, str) for word in each.split()
    ]


def _unnamed(url: str, names: dict[str, str]) -> str:
    """Return the address of an index of uv's settings without the name that may stand before it, which is noted."""
    named = regex(r"([A-Za-z0-9_.-]+)=(?=[a-z]+:)").match(url)
    if named is None:
        return url
    names[named[1]] = url[named.end() :]
    return names[named[1]]


def _nearness(protected: str, url: str) -> int:
    """Return how much of an address what is protected has in common with it; 0 where it is another server."""
    asked = origin_of(url)
    if asked is None:
        return 0
    if "/" not in protected:
        # As curl and requests have it, a name in a netrc file stands for every port.
        return int(asked[0] == "https" and protected.lower().rstrip(".") == asked[1])
    if origin_of(protected) != asked:
        return 0
    # Files of an index often lie beside its pages.
    path = urlsplit(protected).path.rstrip("/").removesuffix("/simple")
    there = urlsplit(url).path
    return 3 + len(path) if there == path or there.startswith(f"{path}/") else 2


def _users(urls: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the users that addresses name, and what they protect."""
    for url in urls:
        if origin_of(url) is None:
            continue
        parts = urlsplit(url)
        if parts.username:
            yield without_user(url), unquote(parts.username), unquote(parts.password or "")


def _credentials(
    urls: tuple[str, ...], names: Mapping[str, str], environment: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield what identifies the user: from addresses, from uv's variables of named ones, then from the netrc file."""
    yield from _users(urls)
    for name, url in names.items():
        variable = f"UV_INDEX_{regex('[^A-Z0-9]').sub('_', name.upper())}"
        login, password = environment.get(f"{variable}_USERNAME", ""), environment.get(f"{variable}_PASSWORD", "")
        if login or password:
            yield without_user(url), login, password
    path = environment.get("NETRC") or str(Path(environment.get("HOME") or "/") / ".netrc")
    try:
        with opened(path, SETTINGS) as file:
            hosts = netrc.netrc(file).hosts
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return
    for host, (login, _account, password) in hosts.items():
        if host != "default":
            yield host, login or "", password or ""
