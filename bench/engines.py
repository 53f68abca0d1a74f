#!/usr/bin/env python3
"""Forecast beside measured for the same small services on every engine and store of images, in one run.

    bench/engines.py --base python:3.11-slim=$(script/base-image)
    bench/engines.py --base ... --engine sid-containerd --case copy-text --case pip-pure
    bench/engines.py --base ... --markdown                             # the table of docs/engines.md

Needs Linux and root. Each engine is a private one on a disk of its own (`tests/engine_root.py`). Each service is
forecast, then built by plain ``docker build`` on the same engine without any cache of its builder. Image bytes are
what ``docker image ls`` shows, disk and peak what ``statvfs`` tells, 100 times a second. It ends with 1 when a limit
does not hold: a figure that is further off than its grade allows, or anything measured above its high figure.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from forecast import Watch
from tests.engine_root import EngineName, in_front
from tests.real_engine import real_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.real_engine import RealEngine

PAIRS = ("bookworm", "trixie", "trixie-containerd", "sid", "sid-containerd")
TONNAGE = str(Path(sys.executable).with_name("tonnage"))
DISK_BYTES = 6_000_000_000
SETTLE_S = 2.0
LIMITS = {
    "exact": {"image": 0.02, "disk": 0.03, "peak": 0.05},
    "declared": {"image": 0.05, "disk": 0.08, "peak": 0.10},
}
# What an engine writes down of itself meanwhile is no part of a service.
NOISE_BYTES = 300_000
_LEAST_LIBRARY_BYTES, _LIBRARIES_BYTES = 100_000, 40_000_000


@dataclass(frozen=True)
class Case:
    """A stack: what makes the context of each service, in the order of building, and the platforms of all."""

    name: str
    services: dict[str, Callable[[Path], str]]
    platforms: tuple[str, ...] = ()


def text(context: Path) -> str:
    """Copy some prose, tables and settings."""
    chance = random.Random(7)  # noqa: S311 - the same in every run
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(chance.choices(letters, range(52, 0, -2), k=chance.randint(1, 11))) for _ in range(9_000)]
    often = list(itertools.accumulate(1 / (rank + 2) for rank in range(len(words))))
    for number in range(12):
        lines = (" ".join(chance.choices(words, cum_weights=often, k=14)) for _ in range(17_000))
        (context / f"prose-{number}.txt").write_text("\n".join(lines))
    rows = (f"{chance.random():.6f};{chance.choice(words)};{chance.randint(0, 10**6)}\n" for _ in range(200_000))
    (context / "table.csv").write_text("".join(rows))
    return "FROM busybox:latest\nCOPY . /srv/\n"


def binary(context: Path) -> str:
    """Copy libraries of this machine, up to some 40 MB."""
    left = _LIBRARIES_BYTES
    for path in sorted(Path("/usr/lib/x86_64-linux-gnu").glob("lib*.so*"), key=lambda each: each.name):
        size = path.stat().st_size
        if not path.is_symlink() and _LEAST_LIBRARY_BYTES < size < left:
            shutil.copy(path, context)
            left -= size
    return "FROM busybox:latest\nCOPY . /opt/lib/\n"


def noise(context: Path) -> str:
    """Copy what no program compresses."""
    (context / "weights").write_bytes(random.Random(3).randbytes(31_000_019))  # noqa: S311 - the same in every run
    return "FROM busybox:latest\nCOPY weights /srv/\n"


def zeros(context: Path) -> str:
    """Copy zeros."""
    (context / "empty").write_bytes(bytes(61_000_003))
    return "FROM busybox:latest\nCOPY empty /srv/\n"


def many(context: Path) -> str:
    """Copy 6,000 files of a few kilobytes in 60 directories."""
    chance = random.Random(11)  # noqa: S311 - the same in every run
    for number in range(6_000):
        path = context / f"module-{number % 60}" / f"part-{number}.js"
        path.parent.mkdir(exist_ok=True)
        lines = (f"export const value{chance.randint(0, 99)} = {chance.random():.9f};" for _ in range(40))
        path.write_text("\n".join(lines)[: chance.randint(40, 1_900)])
    return "FROM busybox:latest\nCOPY . /srv/app/\n"


def pip(*packages: str) -> Callable[[Path], str]:
    """Install wheels."""

    def made(context: Path) -> str:
        (context / "requirements.txt").write_text("\n".join(packages) + "\n")
        return (
            "FROM python:3.11-slim\nCOPY requirements.txt .\n"
            "RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.txt\n"
        )

    return made


def apt(_: Path) -> str:
    """Install packages."""
    return (
        "FROM python:3.11-slim\nRUN apt-get update && apt-get install -y --no-install-recommends git libgl1"
        " && rm -rf /var/lib/apt/lists/*\n"
    )


def stages(context: Path) -> str:
    """Build in one stage, and copy what was built into another."""
    (context / "large").write_bytes(random.Random(5).randbytes(19_000_007))  # noqa: S311 - the same in every run
    text(context)
    return (
        "FROM busybox:latest AS build\nCOPY . /src/\n"
        "RUN mkdir /out && cp /src/large /out/large && cp /src/*.txt /out/\n"
        'FROM busybox:latest\nCOPY --from=build /out /srv/\nCMD ["sleep", "1000"]\n'
    )


def bare(context: Path) -> str:
    """Copy onto nothing."""
    (context / "program").write_bytes(random.Random(13).randbytes(9_000_001))  # noqa: S311 - the same in every run
    (context / "page.html").write_text("<p>hello</p>\n" * 90_000)
    return "FROM scratch\nCOPY program page.html /\n"


def settings(_: Path) -> str:
    """Change the configuration alone."""
    return 'FROM busybox:latest\nARG LEVEL=debug\nENV LEVEL=$LEVEL A=1\nLABEL b=2\nCMD ["sleep", "1000"]\n'


def bottom(context: Path) -> str:
    """Make an image that others stand on."""
    return text(context)


def top(context: Path) -> str:
    """Stand on the image of another service."""
    noise(context)
    return "FROM bench/bottom\nARG SIZE=4000000\nRUN head -c $SIZE /dev/urandom > /made\nCOPY weights /srv/\n"


CASES = (
    Case("copy-text", {"it": text}),
    Case("copy-binary", {"it": binary}),
    Case("copy-random", {"it": noise}),
    Case("copy-zeros", {"it": zeros}),
    Case("copy-many", {"it": many}),
    Case("pip-pure", {"it": pip("django", "sqlalchemy", "rich", "sympy")}),
    Case("pip-compiled", {"it": pip("numpy", "pandas", "pillow")}),
    Case("apt", {"it": apt}),
    Case("two-stages", {"it": stages}),
    Case("two-platforms", {"it": bare}, ("linux/amd64", "linux/arm64")),
    Case("settings", {"it": settings}),
    Case("shared-base", {"bottom": bottom, "top": top}),
)


def write(case: Case, directory: Path, platforms: tuple[str, ...]) -> None:
    """Write a stack into a directory."""
    services = {}
    for name, make in case.services.items():
        context = directory / name
        context.mkdir()
        (context / "Dockerfile").write_text(make(context))
        (context / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")
        build: dict[str, object] = {"context": f"./{name}"} | ({"platforms": list(platforms)} if platforms else {})
        services[name] = {"build": build, "image": f"bench/{name}"}
    (directory / "compose.yaml").write_text(json.dumps({"name": "bench", "services": services}))


def used(engine: RealEngine) -> int:
    """Return the bytes in use where images lie, when they change no more."""
    last = -1
    while True:
        os.sync()
        told = os.statvfs(engine.images_mount)
        now = (told.f_blocks - told.f_bfree) * told.f_frsize
        if now == last:
            return now
        last = now
        time.sleep(SETTLE_S)


def docker(environment: dict[str, str], *words: str) -> str:
    """Run one command of docker and return what it prints."""
    program = environment.get("TONNAGE_DOCKER", "docker")
    done = subprocess.run([program, *words], env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"docker {' '.join(words)}\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def measure(case: Case, engine: RealEngine, directory: Path, platforms: tuple[str, ...]) -> dict[str, int]:
    """Build a stack and return what was measured."""
    environment = engine.environment | {"DOCKER_BUILDKIT": "1"}
    before = used(engine)
    watch = Watch(engine.images_mount)
    start = watch.free_bytes()
    watch.start()
    try:
        for name in case.services:
            way = (
                ("buildx", "build", "--builder", "default", "--platform", ",".join(platforms))
                if platforms
                else ("build",)
            )
            docker(environment, *way, "--quiet", "--tag", f"bench/{name}", str(directory / name))
        after = used(engine)
    finally:
        watch.ended.set()
        watch.join()
    # The last one has the layers of all.
    listed: Any = engine.client.api.images(f"bench/{list(case.services)[-1]}")
    return {"image": listed[0]["Size"], "disk": after - before, "peak": start - watch.least_bytes}


def forecast(engine: RealEngine, directory: Path) -> dict[str, dict[str, Any]]:
    """Return the forecast of a stack on an engine."""
    done = subprocess.run(
        [TONNAGE, "forecast", "--json", "--probe"],
        cwd=directory,
        env=engine.environment | {"TONNAGE_STATE_DIR": str(directory / "state")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    told = json.loads(done.stdout)["stack"]
    disk, on_top = told["disk_bytes"], told["transient_bytes"]
    peak = {name: disk[name] + on_top[name] for name in ("low", "likely", "high")}
    order = ("exact", "declared", "learned", "unknown")
    peak["grade"] = max(disk["grade"], on_top["grade"], key=order.index)
    return {"image": told["image_bytes"], "disk": disk, "peak": peak}


def rows(told: dict[str, dict[str, Any]], seen: dict[str, int]) -> Iterator[tuple[str, dict[str, Any], int, str]]:
    """Yield for each figure its forecast, what was measured, and what is wrong with it; empty for nothing."""
    for figure, forecasted in told.items():
        measured, off = seen[figure], abs(forecasted["likely"] - seen[figure])
        limit = LIMITS.get(forecasted["grade"], {}).get(figure)
        wrong = ["ABOVE HIGH"] if measured > forecasted["high"] else []
        if limit is not None and off > max(limit * measured, NOISE_BYTES):
            wrong.append("TOO FAR")
        yield figure, forecasted, measured, " ".join(wrong)


def show(pair: str, case: Case, told: dict[str, dict[str, Any]], seen: dict[str, int], *, markdown: bool) -> bool:
    """Print forecast beside measured; return whether every limit held."""
    held = True
    cells = []
    for figure, forecasted, measured, wrong in rows(told, seen):
        held = held and not wrong
        likely = forecasted["likely"]
        error = f"{(likely - measured) / measured * 100:+.1f} %" if measured else "-"
        cells.append(f"{likely / 1e6:.1f} / {measured / 1e6:.1f} MB, {error}, {forecasted['grade']} {wrong}".strip())
        if not markdown:
            print(
                f"{pair:18} {case.name:14} {figure:6} {likely:>12} {measured:>12} {error:>9}"
                f"  {forecasted['low']:>12} to {forecasted['high']:>12} {forecasted['grade']:9}{wrong}",
                flush=True,
            )
    if markdown:
        print(f"| {case.name} | {' | '.join(cells)} |", flush=True)
    return held


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", action="append", required=True, help="NAME=ARCHIVE; may be repeated")
    parser.add_argument("--engine", action="append", choices=PAIRS, help="may be repeated; all without")
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES], help="may be repeated")
    parser.add_argument("--markdown", action="store_true", help="print tables for a document")
    given = parser.parse_args()
    held = True
    for pair in given.engine or PAIRS:
        if given.markdown:
            print(f"\n### {pair}\n\n| service | image | disk | peak |\n|---|---|---|---|")
        with in_front(EngineName.read(pair)), real_engine(DISK_BYTES) as engine:
            for base in given.base:
                docker(engine.environment, "load", "--quiet", "--input", base.partition("=")[2])
            for case in CASES:
                if given.case and case.name not in given.case:
                    continue
                platforms = case.platforms if "containerd" in pair else ()
                with tempfile.TemporaryDirectory() as made:
                    write(case, Path(made), platforms)
                    told = forecast(engine, Path(made))
                    seen = measure(case, engine, Path(made), platforms)
                    held = show(pair, case, told, seen, markdown=given.markdown) and held
                docker(engine.environment, "image", "rm", "--force", *(f"bench/{name}" for name in case.services))
                docker(engine.environment, "builder", "prune", "--all", "--force")
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
