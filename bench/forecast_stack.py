#!/usr/bin/env python3
"""Seconds and traffic of forecasting a stack of three torch services: cold, warm, offline, and with nobody answering.

    bench/forecast_stack.py [--times 5]

Needs a package index; no engine, no root. The base image stands in a registry on the loopback. Traffic is what goes
both ways through a proxy on the loopback, TLS and the resolver's own requests included; seconds are measured without
that proxy. Each cold run has an empty cache. A warm one has to tell the figures of the cold one, to the byte.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.answering import Answer, answering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.answering import Answering

SERVICES = {
    "detect": "torch==2.3.1\ntorchvision==0.18.1\nultralytics==8.2.48\nfastapi\nuvicorn\n",
    "pose": "torch==2.3.1\ntorchvision==0.18.1\ntimm==1.0.7\nscipy\nfastapi\nuvicorn\n",
    "describe": "torch==2.3.1\ntransformers==4.42.3\naccelerate==0.31.0\nfastapi\nuvicorn\n",
}
DOCKERFILE = """\
FROM {base}
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
"""
COLD_S, COLD_BYTES, WARM_S = 5.0, 10_000_000, 1.0


class Counting:
    """A proxy on the loopback that counts the bytes of both directions."""

    def __init__(self) -> None:
        self.count_bytes = 0
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            client, _ = self._server.accept()
            threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += client.recv(4096)
        host, _, port = asked.split()[1].decode().rpartition(":")
        try:
            server = socket.create_connection((host, int(port)), timeout=10)
        except OSError:
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            client.close()
            return
        server.settimeout(None)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=self._pass, args=(client, server), daemon=True).start()
        self._pass(server, client)

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(1 << 16):
                with self._lock:
                    self.count_bytes += len(chunk)
                sink.sendall(chunk)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def registry() -> Iterator[str]:
    """Serve one image like python:3.11-slim, and give its name."""
    with answering() as server:
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "PYTHON_VERSION=3.11.9"]},
            "rootfs": {"type": "layers", "diff_ids": []},
        }
        layers = []
        for number in range(4):
            content = bytes([number]) * 30_000_001
            config["rootfs"]["diff_ids"].append(_digest(content))  # type: ignore[index]
            layers.append(_blob(server, gzip.compress(content), "application/vnd.oci.image.layer.v1.tar+gzip"))
        told = _blob(server, json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json")
        media = "application/vnd.oci.image.manifest.v1+json"
        body = json.dumps({"schemaVersion": 2, "mediaType": media, "config": told, "layers": layers}).encode()
        headers = {"Content-Type": media, "Docker-Content-Digest": _digest(body)}
        for reference in ("3.11-slim", _digest(body)):
            server.routes[f"/v2/python/manifests/{reference}"] = Answer(body=body, headers=headers)
        server.routes["/v2/"] = Answer(body=b"{}")
        yield f"{server.host}/python:3.11-slim"


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _blob(server: Answering, content: bytes, media: str) -> dict[str, object]:
    server.routes[f"/v2/python/blobs/{_digest(content)}"] = Answer(body=content, ranges=True)
    return {"mediaType": media, "digest": _digest(content), "size": len(content)}


def forecast(directory: Path, cache: Path, *words: str, proxy: str = "") -> tuple[float, dict[str, Any]]:
    """Return the seconds that a forecast took, and what it told."""
    environment = {**os.environ, "TONNAGE_CACHE_DIR": str(cache), "TONNAGE_STATE_DIR": str(directory / "state")}
    environment.update({"DOCKER_HOST": "", "NO_PROXY": "127.0.0.1", **({"HTTPS_PROXY": proxy} if proxy else {})})
    command = [str(Path(sys.executable).with_name("tonnage")), "forecast", "--json", "--engine", "buildkit", *words]
    began = time.monotonic()
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return seconds, json.loads(done.stdout)


def figures(told: dict[str, Any]) -> list[object]:
    """Return what has to be the same each time."""
    return [told["stack"]["disk_bytes"], *([each["service"], each["disk_bytes"]] for each in told["services"])]


def main() -> int:
    """Measure, print, and return 1 where a figure is not reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made, registry() as base:
        directory = Path(made)
        for name, requirements in SERVICES.items():
            (directory / name).mkdir()
            (directory / name / "requirements.txt").write_text(requirements)
            (directory / name / "Dockerfile").write_text(DOCKERFILE.format(base=base))
        services = "".join(f"  {name}: {{build: ./{name}}}\n" for name in SERVICES)
        (directory / "compose.yaml").write_text(f"name: bench\nservices:\n{services}")
        counting = Counting()
        _, first = forecast(directory, directory / "counted", proxy=counting.address)
        took: dict[str, list[float]] = {"cold": [], "warm": [], "offline": [], "nobody answers": []}
        same = True
        for number in range(given.times):
            cache = directory / f"cache-{number}"
            for way, all_seconds in took.items():
                words = ("--offline",) if way == "offline" else ()
                proxy = "http://127.0.0.1:9" if way == "nobody answers" else ""
                seconds, told = forecast(directory, cache, *words, proxy=proxy)
                all_seconds.append(seconds)
                same = same and figures(told) == figures(first)
    for each in first["services"]:
        print(f"{each['service']:10} disk {each['disk_bytes']['likely']:>13} {each['disk_bytes']['grade']}")
        print("".join(f"    {why}\n" for why in each["failures"]), end="")
    for way, seconds in took.items():
        print(f"{way:16} {statistics.median(seconds):.2f} s, slowest {max(seconds):.2f} s")
    print(f"traffic of a cold one: {counting.count_bytes} bytes")
    print(f"the same figures each time: {'yes' if same else 'NO'}")
    cold, warm = statistics.median(took["cold"]), statistics.median(took["warm"])
    return 0 if same and cold < COLD_S and warm < WARM_S and counting.count_bytes < COLD_BYTES else 1


if __name__ == "__main__":
    raise SystemExit(main())
