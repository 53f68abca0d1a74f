"""The one door to addresses on the network: pooled connections, proxies, redirects, retries, and failures of ours.

Public:
    ``Web(environment, offline=False).get(address, headers, limit_bytes=) -> Reply``: the whole body, up to a limit.
    ``.start(address, headers, first_bytes=) -> Reply``: only the beginning of it.
    ``.head(address, headers) -> Reply``: no body.

A status is an answer, not a failure; only an address that cannot be reached, or answers too much, raises. An
``Authorization`` header goes to the host that it is meant for and is left out when another host is redirected to.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self
from urllib.parse import urlencode, urljoin, urlsplit

from msgspec import Struct

from tonnage.adapters.web.pools import ProxyPools
from tonnage.errors import CannotFetchError
from tonnage.units import format_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    import urllib3
    from urllib3 import Retry

_CONNECT_WITHIN_S = 10.0
_ANSWER_WITHIN_S = 30.0
_REDIRECTS, _BROKEN_ANSWERS, _BUSY_ANSWERS = 10, 3, 2
_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 15.0
_MOVED = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({429, 500, 502, 503, 504})
"""What a server says that may be over in a moment."""
_CHUNK_BYTES = 1 << 18
_MOST_BYTES = 256 << 20
_UNBELIEVED = "Name the file with the certificate of who signed the server's in SSL_CERT_FILE."


class Reply(Struct, frozen=True, kw_only=True):
    """What an address answered.

    Args:
        status: The HTTP status.
        headers: The headers, names in small letters.
        body: What was read; empty for HEAD, and cut where fewer bytes were wanted.
        address: The address that answered in the end.
        pause_s: How long the server asks not to be asked again; 0 where it does not say.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    address: str
    pause_s: float = 0.0

    @property
    def answer(self) -> str:
        """The status for people, with the time that the server asks to be left alone: ``429, ask again in 2.0 s``."""
        return f"{self.status}, ask again in {format_seconds(self.pause_s)}" if self.pause_s else str(self.status)

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
        self._pools = ProxyPools(environment)
        self._unreachable: dict[str, str] = {}

    def head(self, address: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Return what an address answers without its body, whatever its status.

        Raises:
            CannotFetchError: It cannot be reached.
        """
        return self._ask("HEAD", address, headers or {}, 0)

    def get(self, address: str, headers: Mapping[str, str] | None = None, *, limit_bytes: int = _MOST_BYTES) -> Reply:
        """Return what an address answers, whatever its status.

        Args:
            limit_bytes: After so many bytes reading is given up.

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
            first_bytes: How many bytes are wanted; 0 for the headers alone.

        Returns:
            The answer, its body cut.

        Raises:
            CannotFetchError: It cannot be reached.
        """
        return self._ask("GET", address, headers or {}, first_bytes)

    def post(self, address: str, form: Mapping[str, str]) -> Reply:
        """Send a form. Nothing is redirected, because a form can hold secrets.

        Returns:
            The answer, whatever its status, its body cut after a mebibyte.

        Raises:
            CannotFetchError: It cannot be reached.
        """
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._answer("POST", address, headers, 1 << 20, urlencode(form).encode(), retries=_no_retries())

    def answers(self, address: str) -> bool:
        """Return whether an address answers anything at all; it is tried once.

        Raises:
            CannotFetchError: Nothing may be asked.
        """
        try:
            self._answer("GET", address, {}, 0, retries=_no_retries())
        except CannotFetchError as error:
            if error.cause == "offline":
                raise
            return False
        return True

    def trust(self, authorities: str) -> None:
        """Believe further authorities from now on.

        Args:
            authorities: A file of certificates; one that cannot be read changes nothing.
        """
        self._pools.trust(authorities)

    def close(self) -> None:
        """Close every connection."""
        self._pools.close()

    def __enter__(self) -> Self:
        """Return the door."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection."""
        self.close()

    def _ask(self, method: str, address: str, headers: Mapping[str, str], most_bytes: int) -> Reply:
        """Follow redirects. The pools would read what they leave without a limit, and stay with the first proxy."""
        from urllib3 import Retry  # noqa: PLC0415

        retries = Retry(read=_BROKEN_ANSWERS, status=_BUSY_ANSWERS, backoff_factor=_PAUSE_S)
        for _ in range(_REDIRECTS):
            reply = self._answer(method, address, headers, most_bytes, retries=retries)
            if reply.status not in _MOVED or "location" not in reply.headers:
                return reply
            here, address = address, _joined(address, reply.headers["location"])
            if _split(address)[:2] != _split(here)[:2]:
                secret = retries.remove_headers_on_redirect
                headers = {name: value for name, value in headers.items() if name.lower() not in secret}
        raise CannotFetchError(f"{shown(address)} redirects without end", "not understood")

    def _answer(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str],
        most_bytes: int,
        sent: bytes | None = None,
        *,
        retries: Retry,
    ) -> Reply:
        """Ask one address as often as it may be; a failure is remembered of its host when it will last."""
        # Most builds ask nobody: what speaks to servers takes longer to import than all that a plan reads.
        from urllib3 import exceptions as met  # noqa: PLC0415

        parts = _split(address)
        # A registry without TLS may have nobody at the port of TLS.
        host = f"{parts.scheme}://{parts.netloc}"
        if self.offline:
            what = f"{shown(address)} is not in the cache"
            raise CannotFetchError(what, "offline", todo="Run once without --offline.")
        if host in self._unreachable:
            raise CannotFetchError(f"{shown(address)} cannot be reached", "unreachable", why=self._unreachable[host])
        try:
            while True:
                try:
                    reply, response = self._once(method, address, headers, most_bytes, sent)
                except met.ProtocolError as error:
                    # It raises when that was often enough.
                    retries = retries.increment(method, error=error)
                    retries.sleep()
                    continue
                if reply.status not in _BUSY or not retries.status or reply.pause_s > _LONGEST_PAUSE_S:
                    return reply
                retries = retries.increment(method, response=response)
                time.sleep(reply.pause_s or retries.get_backoff_time())
        except (met.HTTPError, OSError, ValueError) as error:
            why = _reason(error)
            # Who cannot be connected to now, or keeps silent, will not do better in a second.
            if isinstance(error, (met.NewConnectionError, met.TimeoutError, met.ProxyError)):
                self._unreachable[host] = why
            todo = _UNBELIEVED if "CERTIFICATE_VERIFY_FAILED" in why else ""
            raise CannotFetchError(f"{shown(address)} cannot be reached", "unreachable", why=why, todo=todo) from error

    def _once(
        self, method: str, address: str, headers: Mapping[str, str], most_bytes: int, sent: bytes | None
    ) -> tuple[Reply, urllib3.BaseHTTPResponse]:
        """Ask once, and read what is wanted of the answer."""
        from urllib3 import Timeout  # noqa: PLC0415

        response = self._pools.leading_to(address).request(
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
        reply = Reply(
            status=response.status,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=bytes(body),
            address=address,
            pause_s=_pause_s(response),
        )
        return reply, response


def _no_retries() -> Retry:
    from urllib3 import Retry  # noqa: PLC0415

    return Retry(read=False, status=0)


def _pause_s(response: urllib3.BaseHTTPResponse) -> float:
    """Return how long a server asks to be left alone; 0 where it does not say, or not so that it is understood."""
    from urllib3 import Retry, exceptions  # noqa: PLC0415

    try:
        return Retry().get_retry_after(response) or 0.0
    except (exceptions.InvalidHeader, ValueError, OverflowError):
        return 0.0


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
    """Return an address as it may be shown: without user, password and query, which can hold secrets."""
    parts = urlsplit(address)
    if not parts.netloc:
        return address
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _reason(error: BaseException) -> str:
    """Return the innermost reason in words; pools wrap what they meet several times."""
    while True:
        inner = getattr(error, "reason", None) or error.__cause__
        if not isinstance(inner, BaseException) or inner is error:
            return str(error) or type(error).__name__
        error = inner
