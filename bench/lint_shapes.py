#!/usr/bin/env python3
"""What lint says that a fix saves, before anything is built, beside what both ways of building measure.

    bench/lint_shapes.py --base $(script/base-image) [--megabytes 60] [--engine trixie]

Needs Linux and root. The shapes are those of pull requests of 2026 that one rule alone made: a wheelhouse that is
copied from a stage, installed, and removed by the same or by a later instruction; the same with the cache of pip kept
besides. Wheels are written for the purpose. Each shape is priced by ``lint --json``, built as it is, fixed, built
again; builds begin on an engine with nothing but the base image. Measured is what the disk holds more.
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lint_saving import serving, tonnage, used_bytes, write_wheel
from tests.engine_root import EngineName, in_front

from tonnage.adapters.docker.connect import connect
from tonnage.adapters.docker.tools import Tools
from tonnage.adapters.private_engine import PrivateEngine
from tonnage.units import format_bytes

DISK_BYTES = 6_000_000_000
HEAD = """\
FROM python:3.11-slim AS build
COPY wheels /wheels
FROM python:3.11-slim
ENV PIP_INDEX_URL={index}/simple PIP_TRUSTED_HOST={host}
WORKDIR /srv
"""
SHAPES = {
    "removed by the same instruction (radvel#440, mitmproxy#8410)": (
        "COPY --from=build /wheels /wheels\nRUN pip install --no-cache-dir /wheels/*.whl && rm -rf /wheels\n"
    ),
    "removed by a later instruction (viseron#1495, miles#2795)": (
        "COPY --from=build /wheels /wheels\nRUN pip install --no-cache-dir /wheels/*.whl\nRUN rm -rf /wheels\n"
    ),
    "found by name there (secobserve#395, NeXroll#34)": (
        "COPY --from=build /wheels /wheels\nRUN pip install --no-cache-dir --no-index --find-links=/wheels own other"
        " \\\n    && rm -rf /wheels\n"
    ),
    "with the cache of pip besides (parsedmarc#893)": (
        "COPY --from=build /wheels /wheels\nRUN pip install fetched /wheels/*.whl && rm -rf /wheels\n"
    ),
}


def priced(directory: Path, environment: dict[str, str]) -> int:
    """Return what all safe fixes together save, by the forecast."""
    return int(json.loads(tonnage(directory, environment, "lint", "--json"))["removable_bytes"]["likely"])


def main() -> int:
    """Measure."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--base", required=True, metavar="ARCHIVE")
    made.add_argument("--megabytes", type=int, default=60, help="unpacked, of each wheel")
    made.add_argument("--engine", type=EngineName.read, default=EngineName.read("bookworm"))
    given = made.parse_args()
    size = given.megabytes * 1_000_000
    print("| shape | priced before building | measured | difference |\n|---|---|---|---|", flush=True)
    with contextlib.ExitStack() as opened:
        opened.enter_context(in_front(given.engine))
        engine = opened.enter_context(PrivateEngine.start(DISK_BYTES, environment=os.environ))
        state = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="tonnage-bench-")))
        _index(state / "index" / "simple" / "fetched", size)
        index = opened.enter_context(serving(state / "index", str(ipaddress.ip_address(engine.address) - 1)))
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "TONNAGE_"))}
        environment |= {"DOCKER_HOST": engine.endpoint, "DOCKER_BUILDKIT": "1", "TONNAGE_STATE_DIR": str(state)}
        environment["XDG_CACHE_HOME"] = str(state)
        opened.enter_context(connect(environment, netns=engine.netns))
        docker = Tools(environment).need_build().program

        def run(*words: str) -> None:
            subprocess.run([docker, *words], cwd=state, env=environment, check=True, stdout=sys.stderr)

        run("load", "-q", "-i", given.base)
        for number, (name, text) in enumerate(SHAPES.items()):
            stack = state / f"stack{number}"
            (stack / "wheels").mkdir(parents=True)
            for wheel in ("own", "other"):
                write_wheel(stack / "wheels", wheel, "1.0", (), size // 3, size)
            host = index.removeprefix("http://").partition(":")[0]
            (stack / "Dockerfile").write_text(HEAD.format(index=index, host=host) + text)
            (stack / "compose.yaml").write_text("services:\n  web:\n    build: .\n")
            foretold, held = priced(stack, environment), []
            for fixes in (False, True):
                if fixes:
                    print(tonnage(stack, environment, "lint", "--fix", "--no-prices"), file=sys.stderr)
                before = used_bytes(engine.mount)
                run("build", "-q", "-t", "shape:1", str(stack))
                held.append(used_bytes(engine.mount) - before)
                run("rmi", "-f", "shape:1")
                run("builder", "prune", "-af")
            saved = held[0] - held[1]
            off = f"{100 * (foretold - saved) / saved:+.2f} %" if saved else "-"
            print(f"| {name} | {format_bytes(foretold)} | {format_bytes(saved)} | {off} |", flush=True)
    return 0


def _index(place: Path, size: int) -> None:
    """Write an index of one project."""
    place.mkdir(parents=True)
    path = write_wheel(place, "fetched", "1.0", (), size // 2, size)
    content = {"filename": path.name, "url": path.name, "hashes": {}, "size": path.stat().st_size}
    page = {"meta": {"api-version": "1.1"}, "name": "fetched", "files": [content]}
    (place / "index.json").write_text(json.dumps(page), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
