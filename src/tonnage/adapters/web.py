"""The one door to addresses on the network: pooled connections, proxies, redirects, retries, and failures of ours.

Public:
    ``Web(environment, offline=False).get(address, headers, limit_bytes=) -> Reply``: the whole body, up to a limit.
    ``.start(address, headers, first_bytes=) -> Reply``: only the beginning of it.
    ``.head(address, headers) -> Reply``: no body.

A status is an answer, not a failure; only an address that cannot be reached, or answers too much, raises. An
``Authorization`` header goes to the host that it is meant for and is left out when another host is redirected to.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlencode, urljoin, urlsplit

from msgspec import Struct

from tonnage.errors import CannotFetchError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from types import TracebackType

    import urllib3

_CONNECT_WITHIN_S = 10.0
_ANSWER_WITHIN_S = 60.0
_REDIRECTS = 10
_AT_ONCE = 16
_TRIES = 4
_MOVED = frozenset({301, 302, 303, 307, 308})
_CHUNK_BYTES = 1 << 18
_MOST_BYTES = 256 << 20
_SECRET = frozenset({"authorization", "cookie"})


class Reply(Struct, frozen=True, kw_only=True):
    """What an address answered.

    Args:
        status: The HTTP status.
        headers: The headers, names in small letters.
        body: What was read; empty for HEAD, and cut where fewer bytes were wanted.
        address: The address that answered in the end.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    address: str

    @property
    def length_bytes(self) -> int | None:
        """How long the whole thing is, as the headers say it; None where they do not."""
        total = self.headers.get("content-range", "").rpartition("/")[2]
        if total.isdecimal():
            return int(total)
        if self.status == 206 or self.headers.get("content-encoding", "identity") != "identity":  # noqa: PLR2004
            return None
        length = self.headers.get("content-length", "")
        return int(length) if length.isdecimal() else None


class Web:
    """Connections to addresses; close it when done. Safe to use from several threads.

    Args:
        environment: Where proxies (``HTTPS_PROXY``, ``NO_PROXY``) and authorities (``SSL_CERT_FILE``) are looked up.
        offline: Refuse every request.
    """

    def __init__(self, environment: Mapping[str, str], *, offline: bool = False) -> None:
        self.offline = offline
        self.fetched_bytes = 0
        self._environment = environment
        self._pooling = threading.Lock()
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._unreachable: dict[str, str] = {}

    def head(self, address: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Ask what an address would give, without its body.

        Args:
            address: The address.
            headers: Further headers.

        Returns:
            The answer, whatever its status.

        Raises:
            CannotFetchError: It cannot be reached.
        """
        return self._ask("HEAD", address, headers or {}, 0)

    def get(self, address: str, headers: Mapping[str, str] | None = None, *, limit_bytes: int = _MOST_BYTES) -> Reply:
        """Read what an address gives.

        Args:
            address: The address.
            headers: Further headers, such as ``Range``.
            limit_bytes: After so many bytes reading is given up.

        Returns:
            The answer, whatever its status.

        Raises:
            CannotFetchError: It cannot be reached, or gives more than the limit.
        """
        reply = self._ask("GET", address, headers or {}, limit_bytes + 1)
        if len(reply.body) > limit_bytes:
            raise CannotFetchError(
                f"{shown(address)} gives more than {limit_bytes} bytes", "not understood", why="Reading was given up."
            )
        return reply

    def start(self, address: str, headers: Mapping[str, str] | None = None, *, first_bytes: int = 0) -> Reply:
        """Read only the first bytes of what an address gives, and leave the rest.

        Args:
            address: The address.
            headers: Further headers.
            first_bytes: How many bytes are wanted; 0 for the headers alone.

        Returns:
            The answer, its body cut.

        Raises:
            CannotFetchError: It cannot be reached.
        """
        return self._ask("GET", address, headers or {}, first_bytes)

    def post(self, address: str, form: Mapping[str, str], *, limit_bytes: int = 1 << 20) -> Reply:
        """Send a form. Nothing is redirected, because a form can hold secrets.

        Args:
            address: The address.
            form: Its fields.
            limit_bytes: After so many bytes of answer reading is given up.

        Returns:
            The answer, whatever its status.

        Raises:
            CannotFetchError: It cannot be reached.
        """
        self._refuse_offline(address)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._once("POST", address, headers, limit_bytes, urlencode(form).encode())

    def answers(self, address: str) -> bool:
        """Return whether an address answers anything at all; it is tried once.

        Args:
            address: The address.

        Returns:
            Whether it does.

        Raises:
            CannotFetchError: Nothing may be asked.
        """
        self._refuse_offline(address)
        try:
            self._once("GET", address, {}, 0, tries=1)
        except CannotFetchError:
            return False
        return True

    def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            pool.clear()

    def __enter__(self) -> Self:
        """Return the door."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        self.close()

    def _ask(self, method: str, address: str, headers: Mapping[str, str], most_bytes: int) -> Reply:
        """Follow redirects by hand, so that secrets stay with the host that they are meant for."""
        self._refuse_offline(address)
        asked = urlsplit(address)
        for _ in range(_REDIRECTS):
            there = urlsplit(address)
            if there.scheme not in {"http", "https"} or not there.netloc:
                raise CannotFetchError(f"{shown(address)} is no address that can be asked", "not understood")
            given = dict(headers)
            if (there.scheme, there.netloc) != (asked.scheme, asked.netloc):
                given = {name: value for name, value in given.items() if name.lower() not in _SECRET}
            reply = self._once(method, address, given, most_bytes)
            if reply.status not in _MOVED or "location" not in reply.headers:
                return reply
            address = urljoin(address, reply.headers["location"])
        raise CannotFetchError(f"{shown(address)} redirects without end", "not understood")

    def _refuse_offline(self, address: str) -> None:
        if self.offline:
            raise CannotFetchError(
                f"{shown(address)} is not in the cache", "offline", todo="Run once without --offline."
            )

    def _once(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str],
        most_bytes: int,
        sent: bytes | None = None,
        *,
        tries: int = _TRIES,
    ) -> Reply:
        # Most builds ask nobody: what speaks to servers takes longer to import than all that a plan reads.
        from urllib3 import Retry, Timeout  # noqa: PLC0415
        from urllib3 import exceptions as met  # noqa: PLC0415

        host = urlsplit(address).netloc
        if host in self._unreachable:
            raise CannotFetchError(f"{shown(address)} cannot be reached", "unreachable", why=self._unreachable[host])
        try:
            response = self._pool(address).request(
                method,
                address,
                body=sent,
                headers={"Accept-Encoding": "identity", "User-Agent": "tonnage", **headers},
                redirect=False,
                # Who cannot be connected to now cannot be in a second either.
                retries=Retry(tries - 1, connect=0, other=0, redirect=0, status=0, backoff_factor=0.2),
                timeout=Timeout(connect=_CONNECT_WITHIN_S, read=_ANSWER_WITHIN_S),
                preload_content=False,
                decode_content=False,
            )
            body = bytearray()
            try:
                while len(body) < most_bytes:
                    chunk = response.read(min(_CHUNK_BYTES, most_bytes - len(body)))
                    if not chunk:
                        break
                    body += chunk
            finally:
                self.fetched_bytes += len(body)
                # A connection whose answer was not read to its end is of no use to the next request.
                if method == "HEAD" or len(body) < most_bytes:
                    response.release_conn()
                else:
                    response.close()
        except (met.HTTPError, OSError, met.LocationParseError, ValueError) as error:
            unconnected = (met.NewConnectionError, met.ConnectTimeoutError, met.ProxyError)
            if isinstance(error, met.MaxRetryError) and isinstance(error.reason, unconnected):
                self._unreachable[host] = _reason(error)
            raise CannotFetchError(f"{shown(address)} cannot be reached", "unreachable", why=_reason(error)) from error
        return Reply(
            status=response.status,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=bytes(body),
            address=address,
        )

    def _pool(self, address: str) -> urllib3.PoolManager:
        """Return the pool that leads to an address, through its proxy where it has one."""
        from urllib3 import PoolManager, ProxyManager, make_headers  # noqa: PLC0415

        proxy = self._proxy(address)
        # Reading the authorities takes a tenth of a second, and the first requests come from many threads at once.
        with self._pooling:
            if proxy not in self._pools:
                trust = _trust(self._environment)
                if proxy:
                    user = urlsplit(proxy)
                    secret = f"{unquote(user.username)}:{unquote(user.password or '')}" if user.username else None
                    self._pools[proxy] = ProxyManager(
                        proxy,
                        proxy_headers=make_headers(proxy_basic_auth=secret),
                        maxsize=_AT_ONCE,
                        ssl_context=trust,
                    )
                else:
                    self._pools[proxy] = PoolManager(maxsize=_AT_ONCE, ssl_context=trust)
            return self._pools[proxy]

    def _proxy(self, address: str) -> str:
        there = urlsplit(address)
        named = {name.lower(): value for name, value in self._environment.items() if name.lower().endswith("_proxy")}
        host, port = there.hostname or "", there.port
        for entry in (each.strip().lower() for each in named.get("no_proxy", "").split(",")):
            bare = entry.removeprefix("*").lstrip(".")
            if entry == "*" or (bare and (host == bare or host.endswith(f".{bare}") or f"{host}:{port}" == bare)):
                return ""
        chosen = named.get(f"{there.scheme}_proxy") or named.get("all_proxy", "")
        return f"http://{chosen}" if chosen and "://" not in chosen else chosen


def shown(address: str) -> str:
    """Return an address as it may be shown: without user, password and query, which can hold secrets.

    Args:
        address: Any address.
    """
    parts = urlsplit(address)
    if not parts.netloc:
        return address
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _trust(environment: Mapping[str, str]) -> ssl.SSLContext:
    """Return whom to believe: the system's authorities, or those that the environment names."""
    import ssl  # noqa: PLC0415

    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        path = environment.get(name, "")
        if path and os.path.isfile(path):  # noqa: PTH113 - the text is passed on as it is
            return ssl.create_default_context(cafile=path)
    return ssl.create_default_context()


def _reason(error: BaseException) -> str:
    """Return the innermost reason in words; pools wrap what they meet several times."""
    while True:
        inner = getattr(error, "reason", None) or error.__cause__
        if not isinstance(inner, BaseException) or inner is error:
            return str(error) or type(error).__name__
        error = inner
