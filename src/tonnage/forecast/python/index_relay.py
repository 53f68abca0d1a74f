"""A stand-in for package indexes on the loopback: what several runs of the resolver ask is fetched once for all.

Public:
    ``IndexRelay(web, kept, environment)``: close it when done; it listens from the first session on.
    ``.session(access, dated=) -> Session``: one run of the resolver; ``.address(index)`` is what the resolver is given.

The resolver asks for a page of each project, and for the metadata of each wheel that it considers. Services of one
stack ask for the same ones at the same time, so pages come from :class:`IndexPages`. Metadata is read out of the wheel
by range request together with its directory, which the forecast needs anyway, and the resolver is told that the index
gives it apart. An address on this server holds the real one: ``/SESSION/https/HOST/PATH``. Pages are passed on with
addresses of wheels changed to such by ``index_links``. A wheel that a requirement names by its
address is ``/SESSION/apart/https/HOST/PATH``: a small one is given that says the same of itself.

Source: uv 0.13.9; PEP 658 for the place of metadata.
"""

from __future__ import annotations

import posixpath
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from msgspec.structs import replace
from packaging.utils import canonicalize_name

from tonnage.adapters.web.client import shown
from tonnage.adapters.web.proxies import proxy_of
from tonnage.adapters.web.single_flight import SingleFlight
from tonnage.errors import CannotFetchError
from tonnage.forecast.python.index_links import passed_on, small_wheel
from tonnage.forecast.python.index_pages import IndexPages
from tonnage.forecast.python.index_session import ResolverRun
from tonnage.forecast.python.ranged_file import Servers
from tonnage.forecast.python.uv import indexes_asked
from tonnage.forecast.python.wheels import WheelMetadata, read_metadata
from tonnage.lazily import regex
from tonnage.model.forecast.python_lock import Wheel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.adapters.web.client import Web
    from tonnage.adapters.web.disk_cache import DiskCache
    from tonnage.forecast.python.index_access import IndexAccess
    from tonnage.forecast.python.index_pages import Offer

_AT_ONCE = 16
_OK, _MOVED, _NOT_FOUND, _UNREACHABLE = 200, 302, 404, 502
# Which of the user's settings only the resolver itself knows how to follow.
_RESOLVERS_OWN = regex(r"UV_KEYRING_PROVIDER|UV_INDEX_.+_(?:USERNAME|PASSWORD)|SSL_CLIENT_CERT")


class IndexRelay:
    """Indexes as the resolver sees them.

    Args:
        web: The door to the network.
        kept: What was fetched earlier.
        environment: The user's environment.
    """

    def __init__(self, web: Web, kept: DiskCache, environment: Mapping[str, str]) -> None:
        self.pages = IndexPages(web, kept)
        self._web = web
        self._kept = kept
        self._environment = environment
        self._once = SingleFlight()
        self._lock = threading.Lock()
        self._at_once = threading.Semaphore(_AT_ONCE)
        self._servers: dict[str, Servers] = {}
        self._sessions: dict[str, ResolverRun] = {}
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    @property
    def address(self) -> str:
        """Where it listens; it begins to when it is asked for the first time."""
        with self._lock:
            if self._server is None:
                self._server = _Server(self)
                threading.Thread(
                    target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="index", daemon=True
                ).start()
            return f"http://127.0.0.1:{self._server.server_address[1]}"

    def session(self, access: IndexAccess, *, dated: bool = False) -> ResolverRun:
        """Begin a run of the resolver."""
        name = uuid4().hex
        self._web.trust(access.certificates)
        base = f"{self.address}/{name}"
        begun = ResolverRun(self.pages, base, lambda: self._sessions.pop(name, None), access, dated=dated)
        self._sessions[name] = begun
        return begun

    def close(self) -> None:
        """Stop listening."""
        with self._lock:
            if self._server is not None:
                self._server.shutdown()
                self._server.server_close()
                self._server = None

    def indexes(self, access: IndexAccess) -> tuple[str, ...]:
        """Return the addresses of the indexes of a request, the one of last resort last."""
        if access.index_url:
            return (*access.extra_index_urls, access.index_url)
        question = ("indexes", access.certificates, access.extra_index_urls)
        return self._once.ask(question, lambda: indexes_asked(access, self._environment))

    def stands_in(self, index: str, access: IndexAccess) -> bool:
        """Return whether it can ask an index as the resolver would."""
        parts = urlsplit(index)
        own = any(value and _RESOLVERS_OWN.fullmatch(name) for name, value in self._environment.items())
        trusted = {parts.hostname, parts.netloc.rpartition("@")[2]} & set(access.trusted_hosts)
        socks = proxy_of(index, self._environment).startswith("socks")
        return parts.scheme in {"http", "https"} and not (trusted or own or socks)

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Answer one request."""
        name, scheme, rest = [*path.lstrip("/").split("/", 2), "", ""][:3]
        session = self._sessions.get(name)
        apart = scheme == "apart"
        if apart:
            scheme, rest = [*rest.split("/", 1), ""][:2]
        if session is None or scheme not in {"http", "https"}:
            return _NOT_FOUND, {}, b""
        address = f"{scheme}://{rest}"
        there = urlsplit(address).path
        try:
            if there.endswith(".whl.metadata"):
                return self._metadata(
                    session, urlsplit(address)._replace(path=there.removesuffix(".metadata")).geturl()
                )
            if there.endswith(".whl"):
                return self._small(session, address) if apart else self._let_go(address)
            return self._page(session, address)
        except CannotFetchError as error:
            session.troubles.append(error)
            return _UNREACHABLE, {}, str(error).encode()
        except Exception as error:  # noqa: BLE001 - raised again by who began the session, not lost in this thread
            session.failure = error
            return _UNREACHABLE, {}, b""

    def _page(self, session: ResolverRun, address: str) -> tuple[int, dict[str, str], bytes]:
        with self._at_once:
            page = session.page(address)
        if page.status != _OK:
            return page.status, {}, b""
        if page.address != address:
            return _MOVED, {"Location": session.address(page.address)}, b""
        plain = session.plain
        user = session.access.headers(address).get("Authorization", "")
        body = self._once.ask(("page", address, user, session.dated, plain), lambda: passed_on(page, plain=plain))
        return _OK, {"Content-Type": page.kind} if page.kind else {}, body

    def _metadata(self, session: ResolverRun, url: str) -> tuple[int, dict[str, str], bytes]:
        offer, access = session.offer(url)
        user = access.headers(url).get("Authorization", "")
        found = self._once.ask(("metadata", url, user), lambda: self._read(url, offer, access))
        if found is None:
            self._let_go(url)
            session.plain = True
            return _NOT_FOUND, {}, b""
        apart = offer is not None and offer.metadata
        session.metadata[url] = replace(found, part_bytes=0) if apart else found
        return _OK, {"Content-Type": "text/plain"}, found.text

    def _let_go(self, url: str) -> tuple[int, dict[str, str], bytes]:
        """Send the resolver to a wheel itself.

        Raises:
            CannotFetchError: Nobody may be asked.
        """
        if self._web.offline:
            raise CannotFetchError(f"{shown(url)} is not in the cache", "offline", todo="Run once without --offline.")
        return _MOVED, {"Location": url}, b""

    def _small(self, session: ResolverRun, url: str) -> tuple[int, dict[str, str], bytes]:
        """Give a small wheel that says of itself what another one does; the other where that cannot be known."""
        status, _, text = self._metadata(session, url)
        if status != _OK:
            return _MOVED, {"Location": url}, b""
        return (
            _OK,
            {"Content-Type": "application/zip"},
            small_wheel(unquote(posixpath.basename(urlsplit(url).path)), text),
        )

    def _read(self, url: str, offer: Offer | None, access: IndexAccess) -> WheelMetadata | None:
        """Read the metadata of a wheel: out of it, else from beside it."""
        filename = unquote(posixpath.basename(urlsplit(url).path))
        name, version = [*filename.split("-"), ""][:2]
        wheel = Wheel(
            name=canonicalize_name(name),
            version=version,
            filename=filename,
            url=url,
            size_bytes=offer.size_bytes if offer else None,
            hashes=tuple(sorted(offer.hashes.items())) if offer else (),
        )
        servers = self._once.ask(("servers", access), lambda: Servers(self._web, access))
        with self._at_once:
            found = read_metadata(wheel, servers=servers, kept=self._kept)
            if found is not None or offer is None or not offer.metadata:
                return found
            parts = urlsplit(url)
            beside = parts._replace(path=f"{parts.path}.metadata").geturl()
            reply = self._web.get(beside, access.headers(url))
        return WheelMetadata(text=reply.body) if reply.status == _OK else None


class _Server(ThreadingHTTPServer):
    """The server, on a port that is free."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, relay: IndexRelay) -> None:
        self.relay = relay
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_: object) -> None:
        """Print nothing: a resolver that has ended leaves connections behind."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of the resolver."""

    protocol_version = "HTTP/1.1"
    # Head and body are sent apart: the second must not wait until the first is acknowledged.
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        """Answer."""
        status, headers, body = self.server.relay.answer(self.path)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        try:
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def do_HEAD(self) -> None:
        """Answer without a body."""
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Print nothing."""
