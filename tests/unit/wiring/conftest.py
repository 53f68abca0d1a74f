"""A stand-in for an engine on a unix socket: it says of itself what a test wants, and keeps nothing."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest

from tonnage.wiring.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class StandInEngine:
    """What it says of itself, and what it was asked."""

    info: dict[str, Any]
    environment: dict[str, str]
    asked: list[str] = field(default_factory=list)

    def ports(self, **more: str) -> Ports:
        return Ports({**self.environment, **more})


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[StandInEngine]:
    socket, root = tmp_path / "docker.sock", tmp_path / "docker"
    root.mkdir()
    found = StandInEngine(
        {"ID": f"engine of {tmp_path}", "DockerRootDir": str(root), "Driver": "overlay2", "Architecture": "x86_64"},
        {
            "DOCKER_HOST": f"unix://{socket}",
            "PATH": str(tmp_path / "bin"),
            "HOME": str(tmp_path),
            "TONNAGE_CACHE_DIR": str(tmp_path / "cache"),
            "TONNAGE_STATE_DIR": str(tmp_path / "state"),
        },
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            path = path if path.startswith("/version") else f"/{path.split('/', 2)[-1]}"
            found.asked.append(path)
            version = {"ApiVersion": "1.47", "MinAPIVersion": "1.24"}
            replies = {
                "/version": version,
                "/info": found.info,
                "/system/df": {},
                "/volumes": {},
                "/networks": [],
                "/events": [],
            }
            told: object = replies.get(path, [] if path.endswith("s/json") else None)
            self.send_response(404 if told is None else 200)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(json.dumps({"message": "nothing"} if told is None else told).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class names it
            """Say nothing."""

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    with Server(str(socket), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
