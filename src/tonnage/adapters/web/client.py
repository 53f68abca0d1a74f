"""The one door to addresses on the network: pooled connections, proxies, redirects, retries, and failures of ours.

Public:
    ``Web(environment, offline=False).get(address, headers, limit_bytes=) -> Reply``: the whole body, up to a limit.
    ``.start(address, headers, first_bytes=) -> Reply``: only the beginning of it.
    ``.head(address, headers) -> Reply``: no body.

A status is an answer, not a failure; only an address that cannot be reached, or answers too much, raises. An
``Authorization`` header goes to the host that it is meant for and is left out when another host is redirected to.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlencode, urljoin, urlsplit

from msgspec import Struct

from tonnage.adapters.web.proxies import proxy_of
from tonnage.errors import CannotFetchError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping
    from types import TracebackType
    from urllib.parse import SplitResult

    import urllib3

_CONNECT_WITHIN_S = 10.0
_ANSWER_WITHIN_S = 30.0
_REDIRECTS = 10
_AT_ONCE = 16
_TRIES = 4
_TRIES_OF_PASSING = 3
_PAUSE_S = 0.2
# What a server says that may be over in a moment.
_PASSING = frozenset({429, 500, 502, 503, 504})
_MOVED = frozenset({301, 302, 303, 307, 308})
_CHUNK_BYTES = 1 << 18
_MOST_BYTES = 256 << 20
_UNBELIEVED = "Name the file with the certificate of who signed the server's in SSL_CERT_FILE."
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
        self._authorities: set[str] = set()
        self._trusting: ssl.SSLContext | None = None

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
        return self._once("POST", address, headers, limit_bytes, urlencode(form).encode(), tries=1)

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

    def trust(self, authorities: str) -> None:
        """Believe further authorities from now on.

        Args:
            authorities: A file of certificates; one that cannot be read changes nothing.
        """
        with self._pooling:
            if authorities and authorities not in self._authorities:
                self._authorities.add(authorities)
                if self._trusting is not None:
                    _believe(self._trusting, authorities)

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
        asked = _split(address)
        for _ in range(_REDIRECTS):
            there = _split(address)
            given = dict(headers)
            if (there.scheme, there.netloc) != (asked.scheme, asked.netloc):
                given = {name: value for name, value in given.items() if name.lower() not in _SECRET}
            reply = self._once(method, address, given, most_bytes)
            if reply.status not in _MOVED or "location" not in reply.headers:
                return reply
            address = _joined(address, reply.headers["location"])
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
        from urllib3 import exceptions as met  # noqa: PLC0415

        host = urlsplit(address).netloc
        if host in self._unreachable:
            raise CannotFetchError(f"{shown(address)} cannot be reached", "unreachable", why=self._unreachable[host])
        # Who cannot be connected to now, or keeps silent, will not do better in a second.
        lasting = (met.NewConnectionError, met.ConnectTimeoutError, met.ReadTimeoutError, met.ProxyError)
        for tried in range(1, tries + 1):
            try:
                reply = self._reply(method, address, headers, most_bytes, sent)
            except (met.HTTPError, OSError, met.LocationParseError, ValueError) as error:
                if isinstance(error, lasting):
                    self._unreachable[host] = _reason(error)
                elif tried < tries and isinstance(error, met.ProtocolError):
                    time.sleep(_PAUSE_S * tried)
                    continue
                why = _reason(error)
                todo = _UNBELIEVED if "CERTIFICATE_VERIFY_FAILED" in why else ""
                raise CannotFetchError(
                    f"{shown(address)} cannot be reached", "unreachable", why=why, todo=todo
                ) from error
            if reply.status not in _PASSING or tried >= min(tries, _TRIES_OF_PASSING):
                break
            time.sleep(_PAUSE_S * tried)
        return reply

    def _reply(
        self, method: str, address: str, headers: Mapping[str, str], most_bytes: int, sent: bytes | None
    ) -> Reply:
        """Ask once, and read what is wanted of the answer."""
        from urllib3 import Timeout  # noqa: PLC0415

        response = self._pool(address).request(
            method,
            address,
            body=sent,
            headers={"Accept-Encoding": "identity", "User-Agent": "tonnage", **headers},
            redirect=False,
            retries=False,
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
        return Reply(
            status=response.status,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=bytes(body),
            address=address,
        )

    def _pool(self, address: str) -> urllib3.PoolManager:
        """Return the pool that leads to an address, through its proxy where it has one."""
        from urllib3 import PoolManager, ProxyManager, make_headers  # noqa: PLC0415

        proxy = proxy_of(address, self._environment)
        # Reading the authorities takes a tenth of a second, and the first requests come from many threads at once.
        with self._pooling:
            if proxy not in self._pools:
                trust = self._trusting = self._trusting or _trust(self._environment, self._authorities)
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


def _joined(address: str, place: str) -> str:
    """Return where an answer leads to; what is no address stays as it is, and is told when it is asked."""
    try:
        return urljoin(address, place)
    except ValueError:
        return place


def _split(address: str) -> SplitResult:
    """Return the parts of an address that can be asked.

    Raises:
        CannotFetchError: It is none.
    """
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise CannotFetchError(
            f"{address} is no address that can be asked", "not understood", why=str(error)
        ) from error
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise CannotFetchError(f"{shown(address)} is no address that can be asked", "not understood")
    return parts


def shown(address: str) -> str:
    """Return an address as it may be shown: without user, password and query, which can hold secrets.

    Args:
        address: Any address.
    """
    parts = urlsplit(address)
    if not parts.netloc:
        return address
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _trust(environment: Mapping[str, str], more: Iterable[str]) -> ssl.SSLContext:
    """Return whom to believe: the system's authorities, or those that the environment names, and further ones."""
    import ssl  # noqa: PLC0415

    named = (environment.get(name, "") for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    path = next((path for path in named if path and os.path.isfile(path)), None)  # noqa: PTH113 - as it is
    trusting = ssl.create_default_context(cafile=path)
    for each in more:
        _believe(trusting, each)
    return trusting


def _believe(trusting: ssl.SSLContext, authorities: str) -> None:
    """Add the certificates of a file, where they can be read."""
    # What they are not is told when a server is not believed.
    with contextlib.suppress(OSError):
        trusting.load_verify_locations(cafile=authorities)


def _reason(error: BaseException) -> str:
    """Return the innermost reason in words; pools wrap what they meet several times."""
    while True:
        inner = getattr(error, "reason", None) or error.__cause__
        if not isinstance(inner, BaseException) or inner is error:
            return str(error) or type(error).__name__
        error = inner
