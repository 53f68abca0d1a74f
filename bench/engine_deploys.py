#!/usr/bin/env python3
"""What deploy after deploy leaves on the disk, on every engine and store of images, in one run.

    bench/engine_deploys.py --base python:3.11-slim=$(script/base-image)
    bench/engine_deploys.py --base ... --engine sid-containerd --changes 3

Needs Linux and root. The service is ``stats`` of ``examples/hello``, on a private engine of its own
(``tests/engine_root.py``). It is deployed twice, with a version that can be gone back to from the second on. Then each
deploy follows one change, five times: of one line of the last ``COPY``, or of what everything stands on, so that all
layers are built again; the latter has a row for ``cleanup: auto`` and one for ``cleanup: always``. Used bytes are
those that ``statvfs`` tells of the filesystem with the images, after each deploy. Then it is deployed once more with
nothing changed. At the end all that may go is reclaimed, and what was promised is compared with what came free.

It ends with 1 where changes of one line, or whole rebuilds with ``cleanup: always``, leave more than 1 % of the image
in a deploy, where what came free is further than 1 % from what was promised, or where a deploy with one changed line
takes more than 1.3 times as long in containerd's store as in the classic one of the same engine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from forecast_corpus import ENGINES, REPOSITORY, TONNAGE, docker, used
from tests.engine_root import EngineName, in_front
from tests.real_engine import real_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real_engine import RealEngine

DISK_BYTES = 6_000_000_000
MOST_GROWN, MOST_OFF, MOST_TIMES = 0.01, 0.01, 1.3
# What an engine writes down of itself meanwhile.
NOISE_BYTES = 300_000
LINE, WHOLE = "last line", "everything"
CHECK = ["CMD", "python", "-c", "import urllib.request as r; r.urlopen('http://localhost:8001/healthz', timeout=4)"]


@dataclass(frozen=True)
class Kind:
    """What is changed between deploys, and ``x-tonnage.cleanup``; whether growth has a limit."""

    changed: str
    cleanup: str
    limited: bool


KINDS = (Kind(LINE, "auto", limited=True), Kind(WHOLE, "auto", limited=False), Kind(WHOLE, "always", limited=True))


class Stack:
    """The service in a directory, on an engine."""

    def __init__(self, directory: Path, engine: RealEngine, cleanup: str) -> None:
        self.directory, self.engine = directory, engine
        self.environment = engine.environment | {"TONNAGE_STATE_DIR": str(directory / "state")}
        self.context = directory / "stats"
        shutil.copytree(REPOSITORY / "examples" / "hello" / "stats", self.context)
        service = {"build": "./stats", "image": "bench/stats", "healthcheck": {"test": CHECK, "interval": "1s"}}
        told = {"name": "bench", "x-tonnage": {"cleanup": cleanup, "keep-free": "60MB"}, "services": {"stats": service}}
        (directory / "compose.yaml").write_text(json.dumps(told))

    def change(self, what: str, number: int) -> None:
        """Change one line of what the last instruction copies, or what all others stand on."""
        if what == LINE:
            with (self.context / "app.py").open("a") as file:
                file.write(f"# {number}\n")
            return
        dockerfile = self.context / "Dockerfile"
        lines = [each for each in dockerfile.read_text().splitlines() if not each.startswith("ENV CHANGED")]
        changed = (each for line in lines for each in (line, *_after(line, number)))
        dockerfile.write_text("\n".join(changed) + "\n")

    def deploy(self) -> float:
        """Deploy, and return the seconds that it took."""
        began = time.monotonic()
        self.run("deploy")
        return time.monotonic() - began

    def run(self, *words: str, answer: str = "") -> str:
        """Run a command and return what it prints."""
        done = subprocess.run(
            [TONNAGE, *words, "--json"], cwd=self.directory, env=self.environment, input=answer, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"tonnage {' '.join(words)} ended with {done.returncode}\n{done.stderr[-3000:]}")
        return done.stdout


def _after(line: str, number: int) -> Iterator[str]:
    if line.startswith("FROM "):
        yield f"ENV CHANGED={number}"


@dataclass(frozen=True)
class Row:
    """What was measured of one kind of change on one engine."""

    image_bytes: int
    used_bytes: list[int]
    seconds: float
    unchanged_seconds: float
    promised_bytes: int
    came_bytes: int

    @property
    def grown_bytes(self) -> float:
        """Return by how much each deploy let the used bytes grow."""
        return (self.used_bytes[-1] - self.used_bytes[0]) / (len(self.used_bytes) - 1)

    @property
    def off(self) -> float:
        """Return how far what came free is from what was promised."""
        return (self.came_bytes - self.promised_bytes) / self.promised_bytes


def measure(engine: RealEngine, kind: Kind, changes: int) -> Row:
    """Deploy after each change, and reclaim at the end."""
    with tempfile.TemporaryDirectory(prefix="tonnage-bench-") as made:
        stack = Stack(Path(made), engine, kind.cleanup)
        for number in range(2):
            stack.change(kind.changed, number)
            stack.deploy()
        used_bytes, seconds = [used(engine)], []
        for number in range(2, 2 + changes):
            stack.change(kind.changed, number)
            seconds.append(stack.deploy())
            used_bytes.append(used(engine))
        unchanged_seconds = stack.deploy()
        before_bytes = used(engine)
        api: Any = engine.client.api
        image_bytes = api.images("bench/stats")[0]["Size"]
        only = [word for each in ("image", "cache", "container") for word in ("--only", each)]
        told = json.loads(stack.run("reclaim", "--everything", *only, "--yes", answer="bench\n"))
        promised = sum(each["promised_bytes"] for each in told["removed"])
        came_bytes = before_bytes - used(engine)
    return Row(image_bytes, used_bytes, statistics.median(seconds), unchanged_seconds, promised, came_bytes)


def show(engine: str, kind: Kind, row: Row) -> bool:
    """Print a row of the table, and what is wrong with it; return whether its limits held."""
    share = row.grown_bytes / row.image_bytes
    print(
        f"| {engine} | {kind.changed} | {kind.cleanup} | {row.image_bytes / 1e6:.1f} MB"
        f" | {', '.join(f'{each / 1e6:.1f}' for each in row.used_bytes)} MB"
        f" | {row.grown_bytes / 1e6:+.2f} MB ({share * 100:+.2f} %) | {row.seconds:.1f} s"
        f" | {row.unchanged_seconds:.1f} s"
        f" | {row.promised_bytes / 1e6:.1f} / {row.came_bytes / 1e6:.1f} MB, {row.off * 100:+.2f} % |",
        flush=True,
    )
    wrong = []
    if kind.limited and row.grown_bytes > MOST_GROWN * row.image_bytes:
        wrong.append(f"each deploy leaves {row.grown_bytes:.0f} bytes")
    if abs(row.came_bytes - row.promised_bytes) > max(MOST_OFF * row.promised_bytes, NOISE_BYTES):
        wrong.append(f"{row.promised_bytes} bytes were promised and {row.came_bytes} came free")
    for each in wrong:
        print(f"{engine}, {kind.changed}, cleanup {kind.cleanup}: {each}", file=sys.stderr, flush=True)
    return not wrong


def as_quick(seconds: dict[str, float]) -> bool:
    """Return whether a changed line takes as long in both stores of an engine."""
    held = True
    for engine, taken in seconds.items():
        classic = seconds.get(engine.removesuffix("-containerd"), taken)
        if taken > MOST_TIMES * classic:
            print(
                f"{engine}: a changed line takes {taken:.1f} s, and {classic:.1f} s in the classic store",
                file=sys.stderr,
            )
            held = False
    return held


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True, metavar="NAME=ARCHIVE")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="may be repeated; all without")
    parser.add_argument("--changes", type=int, default=5)
    given = parser.parse_args()
    held, seconds = True, {}
    heads = "engine", "changed", "cleanup", "image", "used", "growth per deploy", "a deploy", "unchanged"
    print(f"| {' | '.join(heads)} | promised / came free |")
    print("|" + "---|" * 9, flush=True)
    for name in given.engine or ENGINES:
        for kind in KINDS:
            with in_front(EngineName.read(name)), real_engine(DISK_BYTES) as engine:
                docker(engine.environment, "load", "--quiet", "--input", given.base.partition("=")[2])
                row = measure(engine, kind, given.changes)
            held = show(name, kind, row) and held
            if kind.changed == LINE:
                seconds[name] = row.seconds
    return 0 if as_quick(seconds) and held else 1


if __name__ == "__main__":
    raise SystemExit(main())
