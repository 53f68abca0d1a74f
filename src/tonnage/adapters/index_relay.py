"""A stand-in for package indexes on the loopback: what several runs of the resolver ask is fetched once for all.

Public:
    ``IndexRelay(web, kept, environment)``: close it when done; it listens from the first session on.
    ``.session(access, dated=) -> Session``: one run of the resolver; ``.address(index)`` is what the resolver is given.

The resolver asks for a page of each project, and for the metadata of each wheel that it considers. Services of one
stack ask for the same ones at the same time, so pages come from :class:`IndexPages`. Metadata is read out of the wheel
by range request together with its directory, which the forecast needs anyway, and the resolver is told that the index
gives it apart. An address on this server holds the real one: ``/SESSION/https/HOST/PATH``. Pages are passed on with
addresses of wheels changed to such; what is not recognised stays as it is, and the resolver asks there itself.

Source: uv 0.13.9; PEP 658 for the place of metadata.
"""

from __future__ import annotations

import posixpath
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from tonnage.adapters.index_pages import IndexPages, listed
from tonnage.adapters.once import Once
from tonnage.adapters.ranged import Servers
from tonnage.adapters.resolver import indexes_asked
from tonnage.adapters.wheels import WheelMetadata, read_metadata
from tonnage.errors import CannotFetchError
from tonnage.lazily import regex
from tonnage.model.lock import Wheel

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

    from tonnage.adapters.index_access import IndexAccess
    from tonnage.adapters.index_pages import Offer, Page
    from tonnage.adapters.kept import Kept
    from tonnage.adapters.web import Web

_AT_ONCE = 16
_OK, _MOVED, _NOT_FOUND, _UNREACHABLE = 200, 302, 404, 502
_REFUSED = frozenset({401, 403, 407})
# Which of the user's settings only the resolver itself knows how to follow.
_RESOLVERS_OWN = regex(r"UV_KEYRING_PROVIDER|UV_INDEX_.+_(?:USERNAME|PASSWORD)|SSL_CLIENT_CERT")
_WHEEL_LINK = regex(
    rb"<a\b([^>]*?\shref\s*=\s*[\"'])(https?://|/(?!/)|(?!/)(?![a-zA-Z][a-zA-Z0-9+.-]*:))([^\"'#>?]*\.whl)"
)


class Session:
    """One run of the resolver, and what it met.

    Args:
        relay: The stand-in.
        name: What tells it from others in addresses.
        access: What identifies the user.
        dated: Whether the times of uploads are needed.
    """

    def __init__(self, relay: IndexRelay, name: str, access: IndexAccess, *, dated: bool) -> None:
        self._relay = relay
        self._base = f"{relay.address}/{name}"
        self._name = name
        self._pages: dict[str, list[Page]] = {}
        self.access = access
        self.dated = dated
        self.troubles: list[CannotFetchError] = []
        self.refused: list[str] = []
        self.metadata: dict[str, WheelMetadata] = {}
        self.oldest_s = 0.0
        # Set when metadata of a wheel could not be had: the resolver is to look for it itself.
        self.plain = False

    def address(self, index: str) -> str:
        """Return the address that stands in for that of an index.

        Args:
            index: The index.
        """
        parts = urlsplit(index)
        place = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return f"{self._base}/{parts.scheme}/{parts.netloc.rpartition('@')[2]}{place}"

    def restored(self, text: str) -> str:
        """Return a text of the resolver with real addresses in place of those that stand in for them.

        Args:
            text: What it printed or wrote.
        """
        return regex(rf"{self._base}/(https?)/").sub(r"\1://", text)

    def page(self, address: str) -> Page:
        """Return the page of a project, and remember it.

        Args:
            address: The real address.

        Raises:
            CannotFetchError: It cannot be had.
        """
        page = self._relay.pages.page(address, self.access, dated=self.dated)
        self.oldest_s = max(self.oldest_s, page.age_s)
        if page.status in _REFUSED:
            self.refused.append(address)
        name = canonicalize_name(posixpath.basename(urlsplit(address).path.rstrip("/")))
        self._pages.setdefault(name, []).append(page)
        return page

    def offer(self, url: str) -> Offer | None:
        """Return what a page that was asked for says of a wheel.

        Args:
            url: The real address of the wheel.
        """
        filename = posixpath.basename(urlsplit(url).path)
        pages = self._pages.get(canonicalize_name(filename.partition("-")[0]), ())
        offers = (page.offered(filename) for page in pages)
        return next((offer for offer in offers if offer is not None and offer.url.partition("?")[0] == url), None)

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Answer nothing more for it."""
        self._relay.forget(self._name)


class IndexRelay:
    """Indexes as the resolver sees them.

    Args:
        web: The door to the network.
        kept: What was fetched earlier.
        environment: The user's environment.
    """

    def __init__(self, web: Web, kept: Kept, environment: Mapping[str, str]) -> None:
        self.pages = IndexPages(web, kept)
        self._web = web
        self._kept = kept
        self._environment = environment
        self._once = Once()
        self._lock = threading.Lock()
        self._at_once = threading.Semaphore(_AT_ONCE)
        self._servers: dict[str, Servers] = {}
        self._sessions: dict[str, Session] = {}
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

    def session(self, access: IndexAccess, *, dated: bool = False) -> Session:
        """Begin a run of the resolver.

        Args:
            access: What identifies the user.
            dated: Whether the times of uploads are needed.

        Returns:
            The session; it ends with its context.
        """
        name = uuid4().hex
        begun = Session(self, name, access, dated=dated)
        self._sessions[name] = begun
        return begun

    def forget(self, name: str) -> None:
        """End a session.

        Args:
            name: Its name.
        """
        self._sessions.pop(name, None)

    def close(self) -> None:
        """Stop listening."""
        with self._lock:
            if self._server is not None:
                self._server.shutdown()
                self._server.server_close()
                self._server = None

    def indexes(self, access: IndexAccess) -> tuple[str, ...]:
        """Return the addresses of the indexes of a request, the one of last resort last.

        Args:
            access: How they are reached.
        """
        if access.index_url:
            return (*access.extra_index_urls, access.index_url)
        question = ("indexes", access.certificates, access.extra_index_urls)
        return self._once.ask(question, lambda: indexes_asked(access, self._environment))

    def stands_in(self, index: str, access: IndexAccess) -> bool:
        """Return whether it can ask an index as the resolver would.

        Args:
            index: Its address.
            access: How it is reached.
        """
        parts = urlsplit(index)
        own = any(value and _RESOLVERS_OWN.fullmatch(name) for name, value in self._environment.items())
        trusted = {parts.hostname, parts.netloc.rpartition("@")[2]} & set(access.trusted_hosts)
        return parts.scheme in {"http", "https"} and not trusted and not own

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Answer one request.

        Args:
            path: Its path, with the query.

        Returns:
            Status, headers and body.
        """
        name, scheme, rest = [*path.lstrip("/").split("/", 2), "", ""][:3]
        session = self._sessions.get(name)
        if session is None or scheme not in {"http", "https"}:
            return _NOT_FOUND, {}, b""
        address = f"{scheme}://{rest}"
        there = urlsplit(address).path
        try:
            if there.endswith(".whl.metadata"):
                return self._metadata(session, address.partition("?")[0].removesuffix(".metadata"))
            if there.endswith(".whl"):
                return _MOVED, {"Location": address}, b""
            return self._page(session, address)
        except CannotFetchError as error:
            session.troubles.append(error)
            return _UNREACHABLE, {}, str(error).encode()

    def _page(self, session: Session, address: str) -> tuple[int, dict[str, str], bytes]:
        with self._at_once:
            page = session.page(address)
        if page.status != _OK:
            return page.status, {}, b""
        if page.address != address:
            return _MOVED, {"Location": session.address(page.address)}, b""
        plain = session.plain
        body = self._once.ask(("page", address, session.dated, plain), lambda: _passed_on(page, plain=plain))
        return _OK, {"Content-Type": page.kind}, body

    def _metadata(self, session: Session, url: str) -> tuple[int, dict[str, str], bytes]:
        offer = session.offer(url)
        found = self._once.ask(("metadata", url), lambda: self._read(session, url, offer))
        if found is None:
            session.plain = True
            return _NOT_FOUND, {}, b""
        apart = offer is not None and offer.metadata
        session.metadata[url] = replace(found, part_bytes=0) if apart else found
        return _OK, {"Content-Type": "text/plain"}, found.text

    def _read(self, session: Session, url: str, offer: Offer | None) -> WheelMetadata | None:
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
        servers = self._once.ask(("servers", session.access), lambda: Servers(self._web, session.access))
        with self._at_once:
            found = read_metadata(wheel, servers=servers, kept=self._kept)
            if found is not None or offer is None or not offer.metadata:
                return found
            reply = self._web.get(f"{url}.metadata", session.access.headers(url))
        return WheelMetadata(text=reply.body) if reply.status == _OK else None


class _Server(ThreadingHTTPServer):
    """The server, on a port that is free."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, relay: IndexRelay) -> None:
        self.relay = relay
        super().__init__(("127.0.0.1", 0), _Handler)


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


def _passed_on(page: Page, *, plain: bool) -> bytes:
    """Return a page with the addresses of its wheels changed to such on this server, and their metadata promised.

    Where it is plain nothing is promised, and the addresses are the real ones.
    """
    if page.is_json:
        told = msgspec.json.decode(page.body)
        return msgspec.json.encode({**told, "files": [_entry(page, *each, plain=plain) for each in listed(page)]})
    if b"<base" in page.body:
        return page.body
    origin = "://".join(urlsplit(page.address)[:2]).encode()
    up = _up(page)

    def changed(found: re.Match[bytes]) -> bytes:
        before, kind, rest = found.groups()
        if plain:
            return b"<a" + before + (origin + b"/" if kind == b"/" else kind) + rest
        there = origin.replace(b"://", b"/") + b"/" if kind == b"/" else kind.replace(b"://", b"/")
        return b'<a data-core-metadata="true"' + before + (up + there if kind else b"") + rest

    return _WHEEL_LINK.sub(changed, page.body)


def _entry(page: Page, entry: dict[str, Any], offer: Offer, *, plain: bool) -> dict[str, Any]:
    """Return one file of a page in JSON."""
    if plain or not urlsplit(offer.url).path.endswith(".whl"):
        return {**entry, "url": offer.url}
    return {**entry, "url": _up(page).decode() + offer.url.replace("://", "/", 1), "core-metadata": True}


def _up(page: Page) -> bytes:
    """Return the way from a page up to its session: relative, so that every session can be given the same bytes."""
    return b"../" * page.address.partition("?")[0].replace("://", "/", 1).count("/")
