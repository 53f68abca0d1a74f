#!/usr/bin/env python3
"""How long the command takes where there is nothing to do, and what has to be quick in between.

    bench/startup.py [--rounds 9]

Prints the median seconds of processor time and of the clock for the help, a warm forecast and, as root, on a private
engine, a plan and a deploy without changes. Then, within this program: reading 10,000 files of a build context,
choosing from 400 candidates, and sampling a disk. Ends with 1 where a limit is passed. What the tests hold is the work
that is done; seconds depend on the machine and on what else it does, and are measured only here.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.real_engine import real_engine, why_there_is_none

from tonnage.adapters.context.inputs_digest import build_inputs
from tonnage.adapters.host.filesystem import open_gauge
from tonnage.decide.reclaim.choice import choose
from tonnage.model.reclaim.candidate import Candidate, CandidateId, CandidateKind, SharedBytes
from tonnage.model.stack import BuildSpec, Service
from tonnage.runtime.deploy.sampler import Sampler

if TYPE_CHECKING:
    from collections.abc import Callable

TONNAGE = str(Path(sys.executable).with_name("tonnage"))
DISK_BYTES = 536_870_923
BUILT = {"build": {"context": ".", "dockerfile_inline": "FROM scratch\nCOPY marker /marker\n"}}
SERVES = {
    "image": "busybox:latest",
    "command": ["sleep", "1000000"],
    "stop_signal": "SIGKILL",
    "x-tonnage": {"stability": "0s"},
}
# Seconds of processor time; the sampler's are a share of one processor.
LIMITS = {"help": 0.150, "10,000 files": 1.0, "400 candidates": 5.0, "sampling": 0.01}
LEAST_SAMPLES_A_SECOND = 20


def command(arguments: list[str], environment: dict[str, str], directory: Path) -> tuple[float, float]:
    """Return the processor time and the clock time of a command; the bench ends when it fails."""
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [TONNAGE, *arguments], env=environment, cwd=directory, capture_output=True, text=True, check=False
    )
    seconds, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"tonnage {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, seconds


def show(what: str, rounds: int, measure: Callable[[], tuple[float, float]]) -> bool:
    """Print the medians of some rounds after a first one that does not count; return whether they are in the limit."""
    measure()
    took = [measure() for _ in range(rounds)]
    computed, passed = (statistics.median(each[which] for each in took) for which in (0, 1))
    limit = LIMITS.get(what)
    print(f"{what:24} computes {computed:6.3f} s   takes {passed:6.3f} s" + (f"   limit {limit} s" if limit else ""))
    return limit is None or computed <= limit


def within(work: Callable[[], object]) -> Callable[[], tuple[float, float]]:
    """Return what measures a piece of work of this program."""

    def measure() -> tuple[float, float]:
        begun, computed = time.monotonic(), time.process_time()
        work()
        return time.process_time() - computed, time.monotonic() - begun

    return measure


def context(directory: Path) -> Service:
    """Write ten thousand small files, and return the service that is built from them."""
    for folder in range(100):
        (directory / f"d{folder}").mkdir()
        for number in range(100):
            (directory / f"d{folder}" / f"f{number}").write_bytes(b"x" * 1009)
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY . /app\n")
    (directory / ".dockerignore").write_text("\n".join(f"**/{number}.tmp" for number in range(19)))
    build = BuildSpec(context=str(directory), dockerfile=str(directory / "Dockerfile"))
    return Service(name="web", image="web", build=build)


def _ids(*numbers: int) -> frozenset[CandidateId]:
    return frozenset(CandidateId(CandidateKind.IMAGE, f"thing-{number}") for number in numbers)


def candidates() -> tuple[list[Candidate], list[SharedBytes]]:
    """Return 400 things that may go, and what they give, alone and together."""
    options = [
        Candidate(
            candidate_id=CandidateId(CandidateKind.IMAGE, f"thing-{n}"),
            kind="image",
            name=f"thing-{n}",
            unique_bytes=0,
            cost_s=(n * 7919) % 101 / 7,
            removal_s=float(n % 5),
            reason="unused",
        )
        for n in range(400)
    ]
    pieces = [SharedBytes((n * 104_729) % 90_001, _ids(n)) for n in range(400)]
    pieces += [SharedBytes(50_021, _ids(n, n + 1)) for n in range(0, 300, 3)]
    return options, pieces


def sampling(directory: str) -> bool:
    """Print how often a disk is sampled and what that costs; return whether both are in the limit."""
    gauge = open_gauge("unix:///var/run/docker.sock", [directory])
    with Sampler(gauge) as sampler:
        interval = sampler.begin()
        begun, computed = time.monotonic(), time.process_time()
        time.sleep(3.0)
        share = (time.process_time() - computed) / (time.monotonic() - begun)
        seconds = time.monotonic() - begun
        (measured,) = sampler.end(interval)
    gauge.close()
    print(
        f"{'sampling':24} {measured.samples / seconds:.1f} in a second, at least {LEAST_SAMPLES_A_SECOND}"
        f"   {100 * share:.2f} % of a processor, limit {100 * LIMITS['sampling']:.0f} %"
    )
    return share <= LIMITS["sampling"] and measured.samples >= LEAST_SAMPLES_A_SECOND * seconds


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    # Bytecode is kept, as it is wherever a package was installed with pip.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        environment = {
            **os.environ,
            "DOCKER_HOST": f"unix://{place}/no-engine",
            "TONNAGE_STATE_DIR": f"{place}/state",
            "TONNAGE_CACHE_DIR": f"{place}/cache",
        }
        (directory / "marker").write_text("one")
        (directory / "built.json").write_text(json.dumps({"name": "bench", "services": {"a": BUILT}}))
        forecast = ["forecast", "-f", "built.json"]
        kept = [
            show("help", rounds, lambda: command(["--help"], environment, directory)),
            show("warm forecast", rounds, lambda: command(forecast, environment, directory)),
        ]
        if reason := why_there_is_none():
            print(f"left out plan and deploy: {reason}")
        else:
            services = dict.fromkeys(("a", "b", "c"), SERVES)
            (directory / "compose.json").write_text(json.dumps({"name": "bench", "services": services}))
            stack = ["-f", "compose.json"]
            with real_engine(DISK_BYTES) as engine:
                there = {**environment, "DOCKER_HOST": engine.endpoint, "TONNAGE_KEEP_FREE": "20MB"}
                command(["deploy", *stack], there, directory)
                kept.append(show("plan without changes", rounds, lambda: command(["plan", *stack], there, directory)))
                kept.append(
                    show("deploy without changes", rounds, lambda: command(["deploy", *stack], there, directory))
                )
        (directory / "context").mkdir()
        service = context(directory / "context")
        options, pieces = candidates()
        kept += [
            show("10,000 files", rounds, within(lambda: build_inputs(service))),
            show("400 candidates", rounds, within(lambda: choose(options, pieces, 9_000_011))),
            sampling(place),
        ]
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
