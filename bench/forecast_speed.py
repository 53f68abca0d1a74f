#!/usr/bin/env python3
"""How long `tonnage forecast` takes for three services on torch, and how many bytes go over the network for it.

    bench/forecast_speed.py                    # cold, warm and offline, three times each
    bench/forecast_speed.py --compressed       # the index's pages as public indexes send them

Every run is the command itself, without an engine. All that it and its resolver send and receive goes through a proxy
of this program, which counts the bytes as they pass, encryption included. Cold begins without any cache. With
``--compressed`` pages of the index go through this program: they are compressed and may be kept for ten minutes, as
public indexes say of theirs, and mirrors often do not.
"""

from __future__ import annotations

import argparse
import atexit
import gzip
import http.server
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import ClassVar

from counting import Counting

from tonnage.forecast.python.index_access import index_access
from tonnage.forecast.python.uv import Uv
from tonnage.model.forecast.python_lock import ResolveRequest

SERVICES = {
    "web": ("torch==2.3.1", "torchvision==0.18.1", "fastapi", "uvicorn"),
    "words": ("torch==2.3.1", "transformers", "sentence-transformers"),
    "tables": ("torch==2.3.1", "pandas", "scikit-learn", "onnxruntime"),
}
DOCKERFILE = """\
FROM python:3.11-slim
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
"""
LIMITS_S = {"cold": 5.0, "warm": 1.0, "offline": 1.0}
COLD_BYTES = 20_000_000


class Pages(http.server.BaseHTTPRequestHandler):
    """Pages of an index, compressed, with how long they may be kept."""

    protocol_version = "HTTP/1.1"
    upstream = ""
    passed_bytes = 0
    kept: ClassVar[dict[str, tuple[str, bytes]]] = {}

    def do_GET(self) -> None:
        """Answer with the page of the index that stands behind."""
        if self.path not in self.kept:
            address = self.upstream.rstrip("/") + self.path
            asked = urllib.request.Request(address, headers={"Accept": self.headers.get("Accept", "*/*")})  # noqa: S310 - the index of this machine
            try:
                with urllib.request.urlopen(asked, timeout=60) as reply:  # noqa: S310 - as above
                    self.kept[self.path] = (reply.headers.get("Content-Type", ""), gzip.compress(reply.read(), 6))
            except urllib.error.HTTPError as error:
                self.send_error(error.code)
                return
        kind, content = self.kept[self.path]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Cache-Control", "max-age=600, public")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        type(self).passed_bytes += len(content) + 500

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def stack(directory: Path) -> None:
    """Write the stack."""
    for name, packages in SERVICES.items():
        (directory / name).mkdir()
        (directory / name / "Dockerfile").write_text(DOCKERFILE)
        (directory / name / "requirements.txt").write_text("\n".join(packages) + "\n")
    written = "".join(f"  {name}: {{build: ./{name}}}\n" for name in SERVICES)
    (directory / "compose.yaml").write_text(f"name: bench\nservices:\n{written}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--compressed", action="store_true", help="send the pages of the index as public indexes do")
    chosen = parser.parse_args()
    added = {}
    if chosen.compressed:
        access = index_access(ResolveRequest(requirements=()), os.environ)
        Pages.upstream = access.index_url or Uv(Path(os.devnull) / "uv", os.environ).default_index(access)
        pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        added = {"PIP_INDEX_URL": f"http://127.0.0.1:{pages.server_address[1]}"}
    proxy = Counting()
    proxy.start()
    command = str(Path(sys.executable).with_name("tonnage"))
    measured: list[tuple[str, float, int]] = []
    # The first run writes bytecode, as an installed command has it, and fills the stand-in of the index: not counted.
    bytecode = tempfile.mkdtemp(prefix="tonnage-bench-bytecode-")
    atexit.register(shutil.rmtree, bytecode)
    for number in range(chosen.times + 1):
        with tempfile.TemporaryDirectory(prefix="tonnage-bench-") as place:
            directory = Path(place)
            stack(directory)
            left_out = {"NO_PROXY", "DOCKER_HOST", "PYTHONDONTWRITEBYTECODE"}
            environment = {name: value for name, value in os.environ.items() if name.upper() not in left_out}
            environment |= {
                "HTTPS_PROXY": proxy.address, "https_proxy": proxy.address, "HOME": place,
                "XDG_CACHE_HOME": f"{place}/cache", "TONNAGE_CACHE_DIR": f"{place}/own",
                "PYTHONPYCACHEPREFIX": bytecode,
                "TONNAGE_STATE_DIR": f"{place}/state", "DOCKER_HOST": f"unix://{place}/nothing.sock", **added,
            }  # fmt: skip
            for what, words in (("cold", ()), ("warm", ()), ("offline", ("--offline",))):
                before_bytes, before = proxy.passed_bytes + Pages.passed_bytes, proxy.connections
                begun = time.monotonic()
                subprocess.run(
                    [command, "forecast", "--json", "--python", "3.11", *words],
                    cwd=place, env=environment, check=True, stdout=subprocess.DEVNULL,
                )  # fmt: skip
                seconds = time.monotonic() - begun
                passed_bytes, connections = (
                    proxy.passed_bytes + Pages.passed_bytes - before_bytes,
                    proxy.connections - before,
                )
                if number:
                    print(f"{number} {what:8}{seconds:6.2f} s{passed_bytes:>12,} bytes in {connections} connections")
                    measured.append((what, seconds, passed_bytes))
    held = True
    for what, limit_s in LIMITS_S.items():
        median_s = statistics.median(seconds for each, seconds, _ in measured if each == what)
        most_bytes = max(passed_bytes for each, _, passed_bytes in measured if each == what)
        limit_bytes = COLD_BYTES if what == "cold" else 0
        holds = median_s < limit_s and most_bytes <= limit_bytes
        held = held and holds
        print(
            f"{what}: median {median_s:.2f} s, at most {most_bytes:,} bytes;"
            f" allowed {limit_s} s and {limit_bytes:,}: {'holds' if holds else 'DOES NOT HOLD'}"
        )
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
