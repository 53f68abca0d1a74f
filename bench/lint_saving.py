#!/usr/bin/env python3
"""What ``tonnage torch cpu`` and ``tonnage lint --fix`` save on a classic stack of three services: forecast and true.

    bench/lint_saving.py --base $(script/base-image) --scale 20 --engine trixie --engine trixie-containerd

Needs Linux and root. Each service copies everything and then installs PyTorch 2.3.1 and a package of its own with pip,
which keeps its cache. The stack is forecast and built on a new private engine as it is; then both commands change it,
and it is forecast and built on another one. Figures are what the disk holds above an engine with the base image.

PyTorch's own index cannot be reached where Tonnage is tested: an index on the loopback has stand-ins of the sizes of
the true wheels, divided by the scale. Sources: 2.85 GB in 22 wheels that unpack to 5.07 GB with CUDA, counted from the
directories of the wheels; 0.19 GB, from a log of pip, and 0.65 GB unpacked without (``docs/torch.md``). No apt.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.server
import ipaddress
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.engine_root import EngineName, in_front

from tonnage.adapters.docker.connect import connect
from tonnage.adapters.docker.tools import Tools
from tonnage.adapters.private_engine import PrivateEngine
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

TONNAGE = str(Path(sys.executable).with_name("tonnage"))
SERVICES = ("detector", "embedder", "ranker")
DISK_BYTES = 30_000_000_000
# Name, version, what it needs, bytes fetched and unpacked.
USUAL = (
    ("torch", "2.3.1", ("nvidia-cudnn-cu12",), 780_000_000, 1_450_000_000),
    ("nvidia-cudnn-cu12", "8.9.2", (), 2_072_000_000, 3_624_000_000),
)
CPU = (("torch", "2.3.1+cpu", (), 190_000_000, 650_000_000),)
DOCKERFILE = """\
FROM python:3.11-slim
ENV PIP_INDEX_URL={index}/simple PIP_TRUSTED_HOST={host}
WORKDIR /srv
COPY . .
RUN pip install -r requirements.txt
CMD ["python", "app.py"]
"""
PIECE_BYTES = 1 << 20


def write_wheel(directory: Path, name: str, version: str, needs: tuple[str, ...], fetched: int, unpacked: int) -> Path:
    """Write a wheel whose archive and contents have about these bytes."""
    path = directory / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    chance = random.Random(f"{name} {version}")  # noqa: S311 - what is in them is never looked at
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(max(1, unpacked // (8 * PIECE_BYTES))):
            with archive.open(f"{name.replace('-', '_')}/lib{number}.so", "w") as file:
                for _ in range(8):
                    noise = PIECE_BYTES * fetched // unpacked
                    file.write(chance.randbytes(noise) + bytes(PIECE_BYTES - noise))
        told = "".join(f"Requires-Dist: {each}\n" for each in needs)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{told}")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: b\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


def write_index(root: Path, scale: int) -> None:
    """Write two indexes, with pages of PEP 691."""
    own = tuple((f"{each}-own", "1.0", (), 400_000 * scale, 900_000 * scale) for each in SERVICES)
    for part, wheels in (("simple", (*USUAL, *own)), ("whl/cpu", CPU)):
        for name, version, needs, fetched, unpacked in wheels:
            place = root / part / name
            place.mkdir(parents=True)
            path = write_wheel(place, name, version, needs, fetched // scale, unpacked // scale)
            content = {
                "filename": path.name,
                "url": path.name.replace("+", "%2B"),
                "hashes": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
                "size": path.stat().st_size,
            }
            page = {"meta": {"api-version": "1.1"}, "name": name, "files": [content]}
            (place / "index.json").write_text(json.dumps(page), encoding="utf-8")


class Pages(http.server.SimpleHTTPRequestHandler):
    """Files of a directory, of which parts may be asked for and everything may be kept, as public indexes do."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Send a file, or a part of it."""
        self._send(body=True)

    def do_HEAD(self) -> None:
        """Say what a file is."""
        self._send(body=False)

    def _send(self, *, body: bool) -> None:
        path = Path(self.translate_path(self.path))
        is_page = path.is_dir()
        path = path / "index.json" if is_page else path
        if not path.is_file():
            self.send_error(404)
            return
        size = path.stat().st_size
        begin, end = 0, size
        asked = self.headers.get("Range", "").removeprefix("bytes=")
        if asked:
            first, _, last = asked.partition("-")
            begin = int(first) if first else max(0, size - int(last))
            end = min(size, int(last) + 1) if first and last else size
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(end - begin))
        self.send_header("Accept-Ranges", "bytes")
        if asked:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        kind = "application/vnd.pypi.simple.v1+json" if is_page else "application/octet-stream"
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "max-age=600" if is_page else "max-age=365000000, immutable, public")
        self.end_headers()
        if body:
            with path.open("rb") as file:
                file.seek(begin)
                left = end - begin
                while left > 0 and (piece := file.read(min(left, PIECE_BYTES))):
                    self.wfile.write(piece)
                    left -= len(piece)


@contextlib.contextmanager
def serving(root: Path, address: str) -> Iterator[str]:
    """Serve the indexes at an address; yield where."""

    def made(*arguments: object) -> Pages:
        return Pages(*arguments, directory=str(root))  # type: ignore[arg-type]

    server = http.server.ThreadingHTTPServer((address, 0), made)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{address}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def write_stack(directory: Path, index: str) -> None:
    """Write three services as many people do."""
    host = index.removeprefix("http://").partition(":")[0]
    lines = ["services:"]
    for name in SERVICES:
        place = directory / name
        place.mkdir(parents=True)
        (place / "Dockerfile").write_text(DOCKERFILE.format(index=index, host=host))
        (place / "requirements.txt").write_text(f"torch==2.3.1\n{name}-own==1.0\n")
        (place / "app.py").write_text(f"print('{name}')\n")
        lines += [f"  {name}:", f"    build: ./{name}"]
    (directory / "compose.yaml").write_text("\n".join(lines) + "\n")


def forecast_bytes(directory: Path, environment: dict[str, str]) -> int:
    """Return what the disk will hold more, the base image not among it."""
    told = tonnage(directory, environment, "forecast", "--json")
    return int(json.loads(told)["stack"]["disk_bytes"]["likely"])


def tonnage(directory: Path, environment: dict[str, str], *words: str) -> str:
    """Run it in the directory of the stack."""
    done = subprocess.run(
        [TONNAGE, *words], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"tonnage {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


def measured(base: str, scale: int, work: Path, *, fixes: bool) -> tuple[int, int]:
    """Return what was forecast and what was measured, of the stack as it is or fixed."""
    with contextlib.ExitStack() as opened:
        engine = opened.enter_context(PrivateEngine.start(DISK_BYTES // scale + 4_000_000_000, environment=os.environ))
        index = opened.enter_context(serving(work / "index", str(ipaddress.ip_address(engine.address) - 1)))
        state = opened.enter_context(tempfile.TemporaryDirectory(prefix="tonnage-bench-"))
        left_out = ("PIP_", "UV_", "TONNAGE_")
        environment = {name: text for name, text in os.environ.items() if not name.startswith(left_out)}
        environment |= {"DOCKER_HOST": engine.endpoint, "DOCKER_BUILDKIT": "1", "TONNAGE_STATE_DIR": state}
        environment["XDG_CACHE_HOME"] = state
        opened.enter_context(connect(environment, netns=engine.netns))
        docker = Tools(environment).need_build().program
        subprocess.run([docker, "load", "-q", "-i", base], env=environment, check=True, stdout=sys.stderr)
        stack = Path(state, "stack")
        write_stack(stack, index)
        if fixes:
            print(tonnage(stack, environment, "torch", "cpu", "--index", f"{index}/whl/cpu"), file=sys.stderr)
            print(tonnage(stack, environment, "lint", "--fix", "--no-prices"), file=sys.stderr)
        foretold = forecast_bytes(stack, environment)
        before = used_bytes(engine.mount)
        for name in SERVICES:
            built = ["build", "-q", "-t", f"{name}:1", name]
            subprocess.run([docker, *built], cwd=stack, env=environment, check=True, stdout=sys.stderr)
        return foretold, used_bytes(engine.mount) - before


def used_bytes(mount: str) -> int:
    """Return what a filesystem holds."""
    subprocess.run(["sync", "-f", mount], check=True)
    told = os.statvfs(mount)
    return (told.f_blocks - told.f_bfree) * told.f_frsize


def main() -> int:
    """Measure."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--base", required=True, metavar="ARCHIVE")
    made.add_argument("--scale", type=int, default=20)
    made.add_argument("--engine", type=EngineName.read, action="append", help="may be repeated; Docker 20.10 without")
    given = made.parse_args()
    print("| engine | stack | forecast | measured |")
    print("|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="tonnage-index-") as work:
        write_index(Path(work, "index"), given.scale)
        for engine in given.engine or [EngineName.read("bookworm")]:
            with in_front(engine):
                rows = [measured(given.base, given.scale, Path(work), fixes=fixes) for fixes in (False, True)]
            for name, row in zip(("as it is", "torch cpu, lint --fix"), rows, strict=True):
                print(f"| {engine} | {name} | {' | '.join(map(format_bytes, row))} |")
            saved = (100 * (1 - after / before) for before, after in zip(*rows, strict=True))
            print(f"| {engine} | saved | {' | '.join(f'{each:.1f} %' for each in saved)} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
