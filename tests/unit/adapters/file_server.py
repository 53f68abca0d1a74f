"""A server on the loopback that gives wheels and index pages, well or badly, and remembers what it was asked."""

from __future__ import annotations

import hashlib
import io
import json
import re
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(kw_only=True)
class Served:
    """One file, and how the server behaves for it."""

    content: bytes
    ranges: bool = True
    from_the_end: int = 206
    tells_total: bool = True
    tells_length: bool = True
    status: int = 0
    moved_to: str = ""
    cut_to: int | None = None
    user: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class FileServer:
    """The files by their path, and what was asked for."""

    address: str
    files: dict[str, Served] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    sent_bytes: int = 0

    def add(self, path: str, content: bytes, **behaviour: Any) -> str:  # noqa: ANN401 - the fields of Served
        """Serve a file; return its address."""
        self.files[path] = Served(content=content, **behaviour)
        return f"{self.address}{path}"

    def extents(self, path: str) -> list[str]:
        """Return which ranges of a file were asked for."""
        return [extent for asked, extent in self.asked if asked == path]


@contextmanager
def serving(host: str = "127.0.0.1") -> Iterator[FileServer]:
    """Run a server on the loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer(self, server)

        def do_HEAD(self) -> None:
            answer(self, server)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    httpd = ThreadingHTTPServer((host, 0), Handler)
    httpd.daemon_threads = True
    server = FileServer(f"http://{host}:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def answer(request: BaseHTTPRequestHandler, server: FileServer) -> None:
    """Answer one request as the file's behaviour says."""
    path = request.path.partition("?")[0]
    extent = request.headers.get("Range", "")
    server.asked.append((path, extent))
    server.headers.append({name.lower(): value for name, value in request.headers.items()})
    file = server.files.get(path)
    if file is None:
        reply(request, 404, b"")
    elif file.user and request.headers.get("Authorization") != file.user:
        reply(request, 401, b"", {"WWW-Authenticate": "Basic"})
    elif file.status or file.moved_to:
        reply(request, file.status or 302, b"", {"Location": file.moved_to} if file.moved_to else {})
    else:
        give(request, server, file, extent)


def give(request: BaseHTTPRequestHandler, server: FileServer, file: Served, extent: str) -> None:
    """Give a file or a part of it."""
    content, total = file.content, len(file.content)
    told = re.fullmatch(r"bytes=(\d*)-(\d*)", extent)
    status, headers = 200, dict(file.headers)
    if told and file.ranges and not told[1] and file.from_the_end not in {200, 206}:
        reply(request, file.from_the_end, b"")
        return
    if told and file.ranges and (told[1] or file.from_the_end == 206):
        first = max(0, total - int(told[2])) if not told[1] else int(told[1])
        last = total - 1 if not told[1] or not told[2] else min(int(told[2]), total - 1)
        if first >= total:
            reply(request, 416, b"", {"Content-Range": f"bytes */{total}"})
            return
        content, status = content[first : last + 1], 206
        headers["Content-Range"] = f"bytes {first}-{last}/{total if file.tells_total else '*'}"
    body = content[: file.cut_to]
    server.sent_bytes += reply(request, status, body, headers, tells_length=file.tells_length and file.cut_to is None)


def reply(
    request: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    *,
    tells_length: bool = True,
) -> int:
    """Send an answer; return how much of it the other side took."""
    request.send_response(status)
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    if tells_length:
        request.send_header("Content-Length", str(len(body)))
    else:
        request.send_header("Connection", "close")
        request.close_connection = True
    sent = 0
    try:
        request.end_headers()
        while request.command != "HEAD" and sent < len(body):
            sent += request.wfile.write(body[sent : sent + 65536])
    except (BrokenPipeError, ConnectionResetError):
        request.close_connection = True
    return sent


def wheel_bytes(
    name: str = "thing",
    version: str = "1.0",
    files: Mapping[str, bytes] | None = None,
    *,
    requires: tuple[str, ...] = (),
    entry_points: str = "",
    python: str = "",
) -> bytes:
    """Return the bytes of a wheel."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {each}\n" for each in requires)
    metadata += f"Requires-Python: {python}\n" if python else ""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in (files or {}).items():
            archive.writestr(path, content)
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        if entry_points:
            archive.writestr(f"{info}/entry_points.txt", entry_points)
        archive.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()


@dataclass
class Index:
    """A package index below one path of a server."""

    server: FileServer
    path: str = "/simple"
    sizes: bool = True
    projects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.server.address}{self.path}"

    def add(self, filename: str, content: bytes, **behaviour: Any) -> str:  # noqa: ANN401 - the fields of Served
        """Offer a file; return its address."""
        name = re.sub(r"[-_.]+", "-", filename.split("-", maxsplit=1)[0]).lower()
        url = self.server.add(f"/files{self.path}/{filename}", content, **behaviour)
        entry: dict[str, Any] = {
            "filename": filename,
            "url": url,
            "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
            "upload-time": "2026-01-02T03:04:05Z",
        }
        if self.sizes:
            entry["size"] = len(content)
        self.projects.setdefault(name, []).append(entry)
        page = {"meta": {"api-version": "1.1"}, "name": name, "files": self.projects[name]}
        self.server.add(
            f"{self.path}/{name}/",
            json.dumps(page).encode(),
            ranges=False,
            headers={"Content-Type": "application/vnd.pypi.simple.v1+json"},
        )
        return url

    def wheel(self, name: str, version: str, *, tag: str = "py3-none-any", **contents: Any) -> str:  # noqa: ANN401 - those of wheel_bytes
        """Offer a wheel; return its address."""
        return self.add(f"{name.replace('-', '_')}-{version}-{tag}.whl", wheel_bytes(name, version, **contents))
