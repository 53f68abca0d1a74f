"""The one door to addresses on the network: pooled connections, proxies, redirects, retries, and failures of ours.

Public:
    ``Web(environment, offline=False).get(address, headers, limit_bytes=) -> Reply``: the whole body, up to a limit.
    ``.start(address, headers, first_bytes=) -> Reply``: only the beginning of it.
    ``.head(address, headers) -> Reply``: no body.

A status is an answer, not a failure; only an address that cannot be reached, may not be asked, or answers too much or
too slowly, raises. An ``Authorization`` header goes to the server that it is meant for (scheme, host and port) and is
left out from the first redirection to another one on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self
from urllib.parse import urlencode, urljoin, urlsplit

from tonnage.adapters.web.deadlines import Deadline, LateError, NetworkTime
from tonnage.adapters.web.names import HostNames, Nearness, nearness_of
from tonnage.adapters.web.pools import ProxyPools, proxy_of
from tonnage.adapters.web.reply import Reply, pause_s
from tonnage.addresses import redacted, same_origin, shown
from tonnage.errors import CannotFetchError
from tonnage.tracing import trace_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from urllib.parse import SplitResult

    import urllib3
    from urllib3 import Retry

    from tonnage.adapters.web.permission import Permission

_REDIRECTS, _BROKEN_ANSWERS, _BUSY_ANSWERS = 10, 3, 2
_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 15.0
_MOVED = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({429, 500, 502, 503, 504})
"""What a server says that may be over in a moment."""
_CHUNK_BYTES = 1 << 18
_MOST_BYTES = 1 << 20
_LONGEST_ADDRESS = 8192
NOT_ALLOWED = "not allowed"
_FORM = "application/x-www-form-urlencoded"
_UNBELIEVED = "Name the file with the certificate of who signed the server's in SSL_CERT_FILE."


class Web:
    """Connections to addresses; close it when done. Safe to use from several threads.

    Args:
        environment: Where proxies (``HTTPS_PROXY``, ``NO_PROXY``) and authorities (``SSL_CERT_FILE``) are looked up.
        offline: Refuse every request.
        time: How long servers may take; None for the usual limits.
        allowed: Says which addresses may be asked; None for all.
        led: Is told of addresses that servers have named.
        asks_some: So few may be asked that nothing may be led to others.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        offline: bool = False,
        time: NetworkTime | None = None,
        allowed: Permission | None = None,
        led: Callable[[Iterable[str]], None] | None = None,
        asks_some: bool = False,
    ) -> None:
        self.offline = offline
        self.fetched_bytes = 0
        self._environment = environment
        self._time = time or NetworkTime()
        self._allowed = allowed
        self.lead = led or (lambda _addresses: None)
        self.asks_some = asks_some
        self._names = HostNames(self._time.limits.connect_s)
        self._pools = ProxyPools(environment, self._names)
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

    def post(self, address: str, body: Mapping[str, str] | bytes, *, kind: str = _FORM) -> Reply:
        """Send a form, or what is encoded already, of a media type. Nothing is redirected: it can hold secrets.

        Raises:
            CannotFetchError: It cannot be reached.
        """
        sent = body if isinstance(body, bytes) else urlencode(body).encode()
        self._permit(address)
        return self._answer(
            "POST", address, {"Content-Type": kind}, 1 << 20, sent, retries=_no_retries(),
            deadline=Deadline(self._time),
        )  # fmt: skip

    def answers(self, address: str) -> bool:
        """Return whether an address answers anything at all; it is tried once.

        Raises:
            CannotFetchError: Nothing may be asked.
        """
        try:
            self._permit(address)
            self._answer("GET", address, {}, 0, retries=_no_retries(), deadline=Deadline(self._time))
        except CannotFetchError as error:
            if error.cause in {"offline", NOT_ALLOWED}:
                raise
            return False
        return True

    def resolver_s(self) -> float:
        """Return how long a resolver may take that asks servers itself.

        Raises:
            CannotFetchError: The command has no time left for the network.
        """
        try:
            return min(self._time.limits.resolver_s, self._time.left_s())
        except LateError as error:
            raise CannotFetchError("The package index is not asked any more", "unreachable", why=str(error)) from error

    def trust(self, authorities: str) -> None:
        """Believe further authorities from now on.

        Args:
            authorities: A file of certificates; one that cannot be read changes nothing.
        """
        self._pools.trust(authorities)

    def close(self) -> None:
        """Close every connection; who still waits for an answer gets none."""
        self._time.end()
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
        deadline = Deadline(self._time)
        for _ in range(_REDIRECTS):
            self._permit(address)
            reply = self._answer(method, address, headers, most_bytes, retries=retries, deadline=deadline)
            if reply.status not in _MOVED or "location" not in reply.headers:
                return reply
            here, address = address, _joined(address, reply.headers["location"])
            self.lead([address])
            if not same_origin(here, address):
                # What was left out stays out, also where the way leads back.
                secret = retries.remove_headers_on_redirect
                headers = {name: value for name, value in headers.items() if name.lower() not in secret}
                self._permit(address)
                self._refuse_to_follow(here, address)
        raise CannotFetchError(f"{shown(address)} redirects without end", "not understood")

    def check(self, address: str) -> None:
        """Raise CannotFetchError for what may not be asked: for who asks by another way."""
        if not self.offline:
            self._permit(address)

    def _permit(self, address: str) -> None:
        """Let only what may be asked pass.

        Raises:
            CannotFetchError: It may not be asked.
        """
        parts = _split(address)
        if self.offline:
            what = f"{shown(address)} is not in the cache"
            raise CannotFetchError(what, "offline", todo="Run once without --offline.")

        def resolved() -> Sequence[str]:
            host = parts.hostname or ""
            if proxy_of(address, self._environment):
                return ()
            try:
                return tuple(each.address for each in self._names.of(host))
            except OSError as error:
                raise CannotFetchError(
                    f"{shown(address)} cannot be reached", "unreachable", why=_reason(error)
                ) from error

        why = self._allowed(address, resolved) if self._allowed is not None else ""
        if why:
            raise CannotFetchError(f"{shown(address)} is not asked", NOT_ALLOWED, why=why)

    def _refuse_to_follow(self, here: str, there: str) -> None:
        """Follow no redirection out of TLS, or to a place that is nearer to this machine than who redirects.

        Raises:
            CannotFetchError: It leads there.
        """
        why = ""
        if _split(here).scheme == "https" and _split(there).scheme != "https":
            why = "It leads out of TLS."
        elif self._nearness(there) > self._nearness(here):
            why = "It leads from a public server into a network that only this machine reaches."
        if why:
            raise CannotFetchError(
                f"{shown(here)} redirects to {shown(there)}, which is not followed", NOT_ALLOWED, why=why
            )

    def _nearness(self, address: str) -> Nearness:
        """Return how near a server is; behind a proxy what its name says."""
        host = _split(address).hostname or ""
        if proxy_of(address, self._environment):
            return Nearness.HERE if host.rstrip(".") in {"localhost", ""} else nearness_of(host)
        try:
            return self._names.nearness(host)
        except OSError:
            # It is told when it is asked.
            return Nearness.PUBLIC

    def _answer(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str],
        most_bytes: int,
        sent: bytes | None = None,
        *,
        retries: Retry,
        deadline: Deadline,
    ) -> Reply:
        """Ask one address as often as it may be; a failure is remembered of its host when it will last."""
        # Most builds ask nobody: what speaks to servers takes longer to import than all that a plan reads.
        from urllib3 import exceptions as met  # noqa: PLC0415

        from tonnage.adapters.web.sockets import until  # noqa: PLC0415 - with urllib3

        parts = _split(address)
        # A registry without TLS may have nobody at the port of TLS.
        host = f"{parts.scheme}://{parts.netloc}"
        if host in self._unreachable:
            raise CannotFetchError(f"{shown(address)} cannot be reached", "unreachable", why=self._unreachable[host])
        try:
            with until(deadline):
                while True:
                    deadline.left_s()
                    try:
                        reply, response = self._once(method, address, headers, most_bytes, sent, deadline)
                    except met.ProtocolError as error:
                        # It raises when that was often enough.
                        retries = retries.increment(method, error=error)
                        deadline.pause(retries.get_backoff_time())
                        continue
                    if reply.status not in _BUSY or not retries.status or reply.pause_s > _LONGEST_PAUSE_S:
                        return reply
                    retries = retries.increment(method, response=response)
                    if not deadline.pause(reply.pause_s or retries.get_backoff_time()):
                        return reply
        except (met.HTTPError, OSError, ValueError) as error:
            why = _reason(error)
            # Who cannot be connected to now, or keeps silent, will not do better in a second.
            if isinstance(error, (met.NewConnectionError, met.TimeoutError, met.ProxyError)):
                self._unreachable[host] = why
            todo = _UNBELIEVED if "CERTIFICATE_VERIFY_FAILED" in why else ""
            raise CannotFetchError(f"{shown(address)} cannot be reached", "unreachable", why=why, todo=todo) from error

    def _once(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str],
        most_bytes: int,
        sent: bytes | None,
        deadline: Deadline,
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
            timeout=Timeout(connect=deadline.limits.connect_s, read=deadline.limits.silent_s),
            preload_content=False,
            decode_content=False,
        )
        trace_request(method, shown(address), response.status)
        body = bytearray()
        try:
            while len(body) < most_bytes:
                chunk = response.read(min(_CHUNK_BYTES, most_bytes - len(body)))
                if not chunk:
                    break
                body += chunk
                deadline.received(len(chunk))
                deadline.left_s()
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
            pause_s=pause_s(response),
        )
        return reply, response


def _no_retries() -> Retry:
    from urllib3 import Retry  # noqa: PLC0415

    return Retry(read=False, status=0)


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
        _ = parts.port
    except ValueError:
        # What Python says of it can hold a password.
        raise CannotFetchError(
            f"{shown(address)} is not a valid address", "not understood", why="Its host or its port is none."
        ) from None
    if len(address) > _LONGEST_ADDRESS:
        raise CannotFetchError(
            f"{shown(address)[:80]}... is too long an address", "not understood",
            why=f"It has {len(address)} characters; servers take {_LONGEST_ADDRESS}.",
        )  # fmt: skip
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise CannotFetchError(f"{shown(address)} is not a valid address", "not understood")
    return parts


def _reason(error: BaseException) -> str:
    """Return the innermost reason in words; pools wrap what they meet several times."""
    while True:
        inner = getattr(error, "reason", None) or error.__cause__
        if not isinstance(inner, BaseException) or inner is error:
            return redacted(str(error)) or type(error).__name__
        error = inner
