"""What stands in for an engine and for a package index where only sizes matter: it answers and keeps nothing."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import socketserver
import threading
import zipfile
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_BASE = "python:3.11-slim"
_SHARED = 4
_LAYER_BYTES = 1_003_571
_MADE_S = 1_795_453_616
_MADE = "2026-11-23T17:06:56.724392776Z"
_VERSION = {"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10.24", "Os": "linux", "Arch": "amd64"}
_CONFIG = {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "PYTHON_VERSION=3.11.9"], "Labels": {}, "WorkingDir": "/"}


def digest(text: str) -> str:
    """Return a digest as engines write it."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def digest_of(held: bytes) -> str:
    """Return the digest of contents as locks write it."""
    return f"sha256:{hashlib.sha256(held).hexdigest()}"


class EngineReplies:
    """What an engine with so many images and records answers.

    Args:
        images: Each has four layers of its own on four that every tenth of them shares.
        records: Of the build cache; each stands on the one before, in chains of ten, and half of them are shared.
    """

    def __init__(self, data_root: Path, images: int = 1, records: int = 0) -> None:
        self.data_root = data_root
        self.images, self.records = images, records
        self.requests = 0
        self._by_id = {self._id(number): number for number in range(images)}

    def answer(self, path: str) -> object | None:
        """Return the JSON to a GET; None where there is nothing."""
        self.requests += 1
        told = unquote(urlsplit(path).path)
        if told.startswith("/v1."):
            told = told[told.index("/", 1) :]
        plain: dict[str, Callable[[], object]] = {
            "/version": lambda: _VERSION,
            "/info": self._info,
            "/images/json": lambda: [self._summary(number) for number in range(self.images)],
            "/containers/json": list,
            "/system/df": self._usage,
            "/volumes": lambda: {"Volumes": [], "Warnings": None},
            "/networks": list,
        }
        if told in plain:
            return plain[told]()
        _, _, rest = told.partition("/images/")
        name, _, what = rest.rpartition("/")
        number = 0 if name in {_BASE, f"docker.io/library/{_BASE}"} else self._by_id.get(name)
        if number is None:
            return None
        return self._detail(number) if what == "json" else self._history(number)

    def _id(self, number: int) -> str:
        return digest(f"image {number}")

    def _layers(self, number: int) -> list[str]:
        shared = [digest(f"shared {number % 10} {each}") for each in range(_SHARED)]
        return [*shared, *(digest(f"own {number} {each}") for each in range(_SHARED))]

    def _info(self) -> object:
        return {
            "ID": "SCALE:SCALE",
            "Driver": "overlay2",
            "DriverStatus": [],
            "DockerRootDir": str(self.data_root),
            "OperatingSystem": "Linux",
            "OSType": "linux",
            "Architecture": "x86_64",
            "ServerVersion": "20.10.24",
            "SystemTime": _MADE,
            "Images": self.images,
            "RegistryConfig": {"IndexConfigs": {}, "InsecureRegistryCIDRs": [], "Mirrors": []},
            "Swarm": {"LocalNodeState": "inactive"},
        }

    def _summary(self, number: int) -> dict[str, Any]:
        return {
            "Id": self._id(number),
            "Created": _MADE_S,
            "Labels": {},
            "ParentId": "",
            "RepoDigests": [f"host.example.org/app{number}@{digest(str(number))}"],
            "RepoTags": [f"host.example.org/app{number}:1" if number else _BASE],
            "SharedSize": -1,
            "Size": 2 * _SHARED * _LAYER_BYTES,
            "VirtualSize": 2 * _SHARED * _LAYER_BYTES,
        }

    def _detail(self, number: int) -> object:
        summary = self._summary(number)
        return {
            **{key: summary[key] for key in ("Id", "RepoDigests", "RepoTags", "Size", "VirtualSize")},
            "Architecture": "amd64",
            "Os": "linux",
            "Created": _MADE,
            "Config": _CONFIG,
            "GraphDriver": {"Name": "overlay2", "Data": {}},
            "Metadata": {"LastTagTime": _MADE},
            "RootFS": {"Type": "layers", "Layers": self._layers(number)},
        }

    def _history(self, number: int) -> object:
        made = [f"/bin/sh -c make {number} {each} # buildkit" for each in range(2 * _SHARED)]
        return [{"Id": "<missing>", "Created": _MADE_S, "CreatedBy": one, "Size": _LAYER_BYTES} for one in made[::-1]]

    def _usage(self) -> object:
        cache = [
            {
                "ID": f"record{number}",
                "Parent": f"record{number - 1}" if number % 10 else "",
                "Type": "regular",
                "Description": f"mount / from exec /bin/sh -c make {number // 10} {number % 8}",
                "InUse": False,
                "Shared": number % 2 == 0,
                "Size": _LAYER_BYTES,
                "CreatedAt": _MADE,
                "LastUsedAt": _MADE,
                "UsageCount": 1,
            }
            for number in range(self.records)
        ]
        return {"BuildCache": cache, "Images": [], "Containers": [], "Volumes": [], "LayersSize": 0}


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


@contextlib.contextmanager
def engine(replies: EngineReplies, socket: Path) -> Iterator[EngineReplies]:
    """Answer like an engine at a socket until the context ends."""

    class Handler(BaseHTTPRequestHandler):
        def address_string(self) -> str:
            return "here"

        def do_GET(self) -> None:
            if self.path.endswith("/_ping"):
                return self.tell(200, b"OK")
            found = replies.answer(self.path)
            if found is None and "/events" in self.path:
                return self.tell(200, b"")
            return self.tell(
                404 if found is None else 200,
                json.dumps(found or {"message": "none"}).encode() if found is None or found != [] else b"[]",
            )

        do_HEAD = do_GET  # noqa: N815 - as the base class calls it

        def tell(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Api-Version", "1.41")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body if self.command != "HEAD" else b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class names it
            """Say nothing."""

    with _UnixServer(str(socket), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield replies
        finally:
            server.shutdown()
            thread.join()
            socket.unlink(missing_ok=True)


@lru_cache(maxsize=20_000)
def wheel(name: str) -> bytes:
    """Return a wheel with one small file."""
    below = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": b"value = 1\n",
        f"{below}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{below}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        rows = []
        for path, held in files.items():
            archive.writestr(path, held)
            told = base64.urlsafe_b64encode(hashlib.sha256(held).digest()).rstrip(b"=").decode()
            rows.append(f"{path},sha256={told},{len(held)}\n")
        archive.writestr(f"{below}/RECORD", "".join((*rows, f"{below}/RECORD,,\n")))
    return written.getvalue()


class _Index(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/simple/"):
            name = path.removeprefix("/simple/").strip("/").replace("-", "_")
            hashed = hashlib.sha256(wheel(name)).hexdigest()
            file = {
                "filename": f"{name}-1.0-py3-none-any.whl",
                "url": f"/files/{name}-1.0-py3-none-any.whl",
                "hashes": {"sha256": hashed},
                "size": len(wheel(name)),
                "core-metadata": True,
            }
            page = {"meta": {"api-version": "1.1"}, "name": name, "versions": ["1.0"], "files": [file]}
            return self.tell(json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json")
        name = path.rpartition("/")[2].partition("-")[0]
        if path.endswith(".metadata"):
            return self.tell(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(), "text/plain")
        return self.tell(wheel(name), "application/octet-stream")

    do_HEAD = do_GET  # noqa: N815 - as the base class calls it

    def tell(self, body: bytes, kind: str) -> None:
        status, whole = 200, len(body)
        asked = self.headers.get("Range", "").removeprefix("bytes=")
        headers = {"Content-Type": kind, "Accept-Ranges": "bytes", "Cache-Control": "max-age=86400"}
        if asked:
            first, _, last = asked.partition("-")
            begin = int(first) if first else max(0, whole - int(last))
            end = min(int(last) if first and last else whole - 1, whole - 1)
            body, status = body[begin : end + 1], 206
            headers["Content-Range"] = f"bytes {begin}-{end}/{whole}"
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(OSError):
                self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class names it
        """Say nothing."""


@contextlib.contextmanager
def index() -> Iterator[str]:
    """Serve one wheel of every name; give the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Index) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
