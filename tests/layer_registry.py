"""A registry of images of one layer each.

It is a program of its own, so that it can run in an engine's network: ``python layer_registry.py DIRECTORY PORT``.
In the directory lie the layers, ``NAME.tar``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MADE = "2020-01-01T00:00:00Z"
CONFIG, LAYER, MANIFEST = (
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.distribution.manifest.v2+json",
)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def image(name: str, layer: bytes) -> dict[str, tuple[str, bytes]]:
    """Return what is served for an image, by the end of its address: its type and its bytes."""
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": MADE,
            "config": {"Cmd": ["sleep", "1000"], "Labels": {"name": name}},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            "history": [{"created": MADE, "created_by": f"layer of {name}"}],
        }
    ).encode()
    parts = [
        {"mediaType": kind, "size": len(content), "digest": _digest(content)}
        for kind, content in ((CONFIG, config), (LAYER, layer))
    ]
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": parts[0], "layers": [parts[1]]}
    ).encode()
    return {
        f"/v2/{name}/manifests/1": (MANIFEST, manifest),
        f"/v2/{name}/manifests/{_digest(manifest)}": (MANIFEST, manifest),
        f"/v2/{name}/blobs/{_digest(config)}": (CONFIG, config),
        f"/v2/{name}/blobs/{_digest(layer)}": (LAYER, layer),
    }


def serve(directory: Path, port: int) -> None:
    """Serve the images for ever."""
    served = {"/v2/": ("application/json", b"{}")}
    for path in sorted(directory.glob("*.tar")):
        served |= image(path.stem, path.read_bytes())

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An engine that tries TLS first goes on without only where a line of HTTP comes back.
        default_request_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def _answer(self, *, body: bool) -> None:
            kind, content = served.get(self.path, ("text/plain", b"nothing"))
            self.send_response(200 if self.path in served else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            if kind == MANIFEST:
                self.send_header("Docker-Content-Digest", _digest(content))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_told: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Answers).serve_forever()


@contextlib.contextmanager
def layer_registry(directory: Path, port: int, enter: Sequence[str]) -> Iterator[None]:
    """Run it, by a prefix of its command line such as ``nsenter``, until the context is left."""
    with subprocess.Popen([*enter, sys.executable, __file__, str(directory), str(port)]) as running:
        try:
            yield
        finally:
            running.kill()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
