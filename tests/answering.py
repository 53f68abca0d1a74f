"""A server on the loopback that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Asked:
    """One request: its method, its path with the query, its headers by small names, its body."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """One answer; with ``ranges`` a part of the body is given to who asks for a part."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = False
    length: bool = True


Route = Answer | Callable[[Asked], Answer]


@dataclass
class Answering:
    """A running server: its host with port, what it answers by path without query, and what it was asked."""

    host: str
    routes: dict[str, Route] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://{self.host}"

    def paths(self) -> list[str]:
        return [f"{each.method} {each.path}" for each in self.asked]


@contextlib.contextmanager
def answering() -> Iterator[Answering]:
    """Run a server; it ends with the context."""
    found: Answering

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, self.rfile.read(length))
            found.asked.append(asked)
            route = found.routes.get(self.path.partition("?")[0], Answer(404))
            answer = route if isinstance(route, Answer) else route(asked)
            status, body, extra = answer.status, answer.body, dict(answer.headers)
            wanted = headers.get("range", "").removeprefix("bytes=")
            if answer.ranges and wanted:
                first, last = (int(each) for each in wanted.split("-"))
                extra["Content-Range"] = f"bytes {first}-{min(last, len(body) - 1)}/{len(body)}"
                status, body = 206, body[first : last + 1]
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            if answer.length:
                self.send_header("Content-Length", str(len(body)))
            else:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            if self.command != "HEAD":
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - as the base class calls it
        do_POST = do_GET  # noqa: N815 - as the base class calls it
        do_DELETE = do_GET  # noqa: N815 - as the base class calls it

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class names it
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        found = Answering(f"127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
