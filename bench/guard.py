#!/usr/bin/env python3
"""Builds that are driven into the reserve, on a real engine with a small disk: how far below, how soon, what became.

    bench/guard.py                  # about five minutes: a few of each
    bench/guard.py --only room --runs 20
    bench/guard.py --long           # 200 builds with something to reclaim, 200 without, 50 kills: some hours

Needs Linux, root, and a static busybox (``TONNAGE_TEST_BUSYBOX``). One row for each kind:

- room: a build writes past the reserve, and build cache that nobody needs is there to be reclaimed. It must finish.
- none: the same without anything to reclaim. It must be stopped and undone, with the engine alive.
- four: as room, with four writers at once.
- allocates: a build takes more than there is in one system call, which nobody can see coming. The engine must live.
- kill: ``tonnage`` is killed while the build is frozen; how long until the build's group is thawed.

Lowest is the fewest available bytes below the reserve, by ``statvfs`` a thousand times a second; reaction is from the
first look below the reserve to the last at which bytes became fewer by a megabyte. Writers write 500 MB/s at most. CPU
is that of a process that samples as a run does, for ten seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.real_engine import real_engine
from tests.scenarios.driving import Project

from tonnage.adapters.guard.build_steps import EngineSteps
from tonnage.adapters.guard.engine_process import engine_process
from tonnage.adapters.guard.freezer import is_frozen
from tonnage.adapters.host.filesystem import open_gauge
from tonnage.runtime.deploy.sampler import ReserveGuard, Sampler
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

DISK_BYTES = 2_500_000_007
SPARE_BYTES = 260_000_000
HEADROOM_BYTES = 200_000_000
WRITES_MB = 320
NOISE_BYTES = 1_000_000
"""So many bytes fewer are no writer: the engine and the filesystem write for themselves."""
THAWED_WITHIN_S, FOR_EVER_S = 5.0, 60.0
STOPPED = 10
LONG = {"room": 200, "none": 200, "four": 20, "allocates": 5, "kill": 50}
SHORT = {"room": 4, "none": 4, "four": 2, "allocates": 1, "kill": 3}
# 500 MB/s at most in all: pieces of 5 MB, each after a pause of 10 ms times the number of writers.
PIECE_MB, PAUSE_US = 5, 10_000
PIECES = WRITES_MB // PIECE_MB
WRITER = (
    "for i in $(seq {count}); do dd if=/dev/zero of=/f{number} bs=1M count=5 seek=$((i*5)) conv=notrunc 2>/dev/null;"
    " usleep {pause}; done"
)
ONE = WRITER.format(count=PIECES, number=0, pause=PAUSE_US)
FOUR = " & ".join(f"({WRITER.format(count=PIECES // 4, number=n, pause=4 * PAUSE_US)})" for n in range(4)) + " & wait"
ALLOCATES = "fallocate -l 3000000000 /f"


class Watch(threading.Thread):
    """Reads available bytes a thousand times a second."""

    def __init__(self, mount: str, line_bytes: int) -> None:
        super().__init__(daemon=True)
        self.mount, self.line_bytes = mount, line_bytes
        self.lowest_bytes = sys.maxsize
        self.fell_to_bytes = line_bytes
        self.crossed_s = self.fell_s = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        """Look until it is over."""
        while not self.over.wait(0.001):
            told = os.statvfs(self.mount)
            now = told.f_bavail * told.f_frsize
            if now < self.line_bytes:
                self.crossed_s = self.crossed_s or time.monotonic()
                if now < self.fell_to_bytes - NOISE_BYTES:
                    self.fell_to_bytes, self.fell_s = now, time.monotonic()
            self.lowest_bytes = min(self.lowest_bytes, now)

    @property
    def below_bytes(self) -> int:
        """How far below the reserve it was at its lowest; negative above it."""
        return self.line_bytes - self.lowest_bytes

    @property
    def reaction_s(self) -> float:
        """From the reserve to the lowest point; 0 where it was never crossed."""
        return max(0.0, self.fell_s - self.crossed_s) if self.crossed_s else 0.0


@contextlib.contextmanager
def watched(mount: str, line_bytes: int) -> Iterator[Watch]:
    """Watch while the block lasts."""
    watch = Watch(mount, line_bytes)
    watch.start()
    try:
        yield watch
    finally:
        watch.over.set()
        watch.join()


def available_bytes(mount: str) -> int:
    """Return what an ordinary process may still write."""
    told = os.statvfs(mount)
    return told.f_bavail * told.f_frsize


class Place:
    """An engine on a small disk, and a project whose only service writes."""

    def __init__(self, project: Project, number: int) -> None:
        self.project, self.number = project, number
        self.mount = project.real.mount
        engine = engine_process(project.real.endpoint.removeprefix("unix://"))
        if engine is None:
            raise SystemExit("the engine's process cannot be seen from here")
        self.steps = EngineSteps(engine, project.real.client.info()["DockerRootDir"])

    def spare(self) -> None:
        """Leave build cache that nobody needs."""
        directory = self.project.directory / "spare"
        directory.mkdir(exist_ok=True)
        write = f"RUN head -c {SPARE_BYTES} /dev/zero > /spare-{self.number}"
        (directory / "Dockerfile").write_text(f"FROM busybox:latest\n{write}\n")
        self.project.docker("build", "--tag", "spare:1", str(directory))
        self.project.docker("rmi", "spare:1")

    def tidy(self) -> None:
        """Remove what earlier builds left."""
        self.project.docker("builder", "prune", "--force", "--all")
        for image in self.project.real.client.images.list(filters={"dangling": True}):
            with contextlib.suppress(Exception):
                self.project.real.client.images.remove(image.id or "", force=True)

    def build(self, run: str) -> tuple[int, str, Watch]:
        """Build into the reserve; return the exit code, what was said, and what was seen."""
        self.project.web("web", "web", run=f"{run}; echo {self.number}")
        line_bytes = available_bytes(self.mount) - HEADROOM_BYTES
        with watched(self.mount, line_bytes) as watch:
            ended = self.project.tonnage(
                "build", "--keep-free", f"{line_bytes}B", environment={"TONNAGE_FORECAST": "false"}
            )
        return ended.exit_code, ended.stderr, watch

    def alive(self) -> bool:
        """Return whether the engine answers, and runs no step of a build."""
        with contextlib.suppress(Exception):
            self.project.real.client.containers.list()
            return not self.steps.now()
        return False

    def kill(self) -> float:
        """Kill ``tonnage`` while the build is frozen; return the seconds until it was thawed."""
        self.project.web("web", "web", run=f"{ONE}; echo {self.number}")
        line_bytes = available_bytes(self.mount) - HEADROOM_BYTES
        running = self.project.start(
            "build", "--keep-free", f"{line_bytes}B", environment={"TONNAGE_FORECAST": "false"}
        )
        frozen: list[str] = []

        def seen() -> bool:
            frozen[:] = [each.directory for each in self.steps.now() if is_frozen(each.directory)]
            return bool(frozen)

        running.until(seen, "it was frozen")
        running.signal(signal.SIGKILL)
        killed_s = time.monotonic()
        while any(Path(each).is_dir() and is_frozen(each) for each in frozen):
            if time.monotonic() - killed_s > FOR_EVER_S:
                return FOR_EVER_S
            time.sleep(0.002)
        seconds = time.monotonic() - killed_s
        running.kill()
        end_s = time.monotonic() + FOR_EVER_S
        while self.steps.now() and time.monotonic() < end_s:
            time.sleep(0.05)
        return seconds


def sampling_cpu(mount: str) -> float:
    """Return the share of a core that sampling takes."""
    gauge = open_gauge("unix://", [mount])
    guard = ReserveGuard({mount: 0}, threading.Event())
    guard.arm("a step")
    with Sampler(gauge, on_sample=guard.sample):
        began, began_cpu = time.monotonic(), time.process_time()
        time.sleep(10.0)
        return (time.process_time() - began_cpu) / (time.monotonic() - began)


def measure(kind: str, runs: int, project: Project) -> str:
    """Drive builds into the reserve, and return a row of the table."""
    good, below, reactions, full = 0, [], [], 0
    for number in range(runs):
        place = Place(project, number)
        place.tidy()
        if kind in {"room", "four", "kill"}:
            place.spare()
        if kind == "kill":
            seconds = place.kill()
            good += seconds < THAWED_WITHIN_S
            reactions.append(seconds)
            continue
        code, said, watch = place.build({"room": ONE, "none": ONE, "four": FOUR, "allocates": ALLOCATES}[kind])
        good += (code == 0 if kind in {"room", "four"} else code == STOPPED) and place.alive()
        full += "No space left on device" in said
        below.append(watch.below_bytes)
        reactions.append(watch.reaction_s)
        if os.environ.get("TONNAGE_BENCH_SAYS"):
            print(said, file=sys.stderr)
    took = f"median {statistics.median(reactions) * 1000:.0f} ms, most {max(reactions) * 1000:.0f} ms"
    if kind == "kill":
        return f"| {kind} | {good} of {runs} | | {took} | |"
    deepest = max(below)
    shown = f"{format_bytes(deepest)} below" if deepest > 0 else f"{format_bytes(-deepest)} above"
    return f"| {kind} | {good} of {runs} | {shown} | {took} | {full} |"


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=tuple(SHORT), action="append", help="only this kind; may be repeated")
    parser.add_argument("--runs", type=int, help="how many of each")
    parser.add_argument("--long", action="store_true", help="as many as the figures are stated for")
    typed = parser.parse_args()
    counts = LONG if typed.long else SHORT
    directory = Path(tempfile.mkdtemp(prefix="tonnage-bench-"))
    try:
        with real_engine(DISK_BYTES) as engine:
            print("| kind | as it should be | lowest | reaction | saw ENOSPC |\n|---|---|---|---|---|")
            for kind in typed.only or SHORT:
                (directory / kind).mkdir()
                project = Project(
                    real=engine, directory=directory / kind, name=f"guard-{kind}", state=directory / "state"
                )
                print(measure(kind, typed.runs or counts[kind], project), flush=True)
                project.close()
                engine.wipe()
            print(f"\nsampling: {sampling_cpu(engine.mount):.2%} of a core")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    with contextlib.suppress(subprocess.CalledProcessError):
        sys.exit(main())
