#!/usr/bin/env python3
"""What commands cost as what they work on grows: each axis at two sizes, processor time, memory and the exponent.

    bench/scale.py [--only NAME ...] [--rounds 1] [--limit 90] [--times 1.0]

For each axis one command is run at a small and at a large size. Printed are the seconds of processor time of the
command with all that it starts, its largest memory, and the exponent: 1 is growth with the size, 2 with its square.
What a command takes at size 1 is taken off before. What a column is called ``limit`` was stopped. No engine is needed
and no network: a server stands in for both. ``--times`` makes the large sizes larger or smaller.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import scale_engine
import scale_journal
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

TONNAGE = str(Path(sys.executable).with_name("tonnage"))
_FORECAST = ("forecast", "--offline", "--engine", "docker-28-classic")
_LEAST_S = 0.05
_BASE = "FROM python:3.11-slim\n"


class Place(Struct):
    """Where an axis is made: an empty directory, what it adds to the environment, and what answers."""

    directory: Path
    index: str
    environment: dict[str, str] = {}
    images: int = 1
    records: int = 0
    input: Path | None = None
    engine: bool = False
    twice: bool = False

    def write(self, name: str, text: str) -> None:
        """Write one file."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def dockerfile(self, text: str) -> tuple[str, ...]:
        """Have one service built from a Dockerfile; return the command that forecasts it."""
        self.write("Dockerfile", text)
        self.write("compose.yaml", "services:\n  web:\n    build: .\n")
        return _FORECAST


Make = Callable[[Place, int], tuple[str, ...]]
AXES: dict[str, tuple[int, int, Make]] = {}


def axis(name: str, small: int, large: int) -> Callable[[Make], Make]:
    """Enter what makes an axis at a size and returns the arguments of the command."""

    def enter(make: Make) -> Make:
        AXES[name] = (small, large, make)
        return make

    return enter


def _with_engine(place: Place, images: int, records: int) -> None:
    place.images, place.records, place.engine = images, records, True
    place.dockerfile("FROM scratch\nCOPY compose.yaml /\n")


@axis("plan, images", 500, 5_000)
def _plan_images(place: Place, size: int) -> tuple[str, ...]:
    _with_engine(place, size, 0)
    return ("plan",)


@axis("plan that reclaims, images", 500, 5_000)
def _tight_images(place: Place, size: int) -> tuple[str, ...]:
    _with_engine(place, size, 0)
    space = os.statvfs(place.directory)
    reserve_bytes = min(space.f_bavail * space.f_frsize + 500_000_000, space.f_blocks * space.f_frsize - 100_000)
    return ("plan", "--keep-free", f"{reserve_bytes // 1_000}kB")


@axis("status, images", 500, 5_000)
def _status_images(place: Place, size: int) -> tuple[str, ...]:
    _with_engine(place, size, 0)
    return ("status",)


@axis("reclaim, images", 500, 5_000)
def _reclaim_images(place: Place, size: int) -> tuple[str, ...]:
    _with_engine(place, size, 0)
    return ("reclaim",)


@axis("plan, cache records", 100, 1_000)
def _plan_records(place: Place, size: int) -> tuple[str, ...]:
    _with_engine(place, 100, size)
    return ("plan",)


@axis("reclaim, cache records", 200, 2_000)
def _reclaim_records(place: Place, size: int) -> tuple[str, ...]:
    _with_engine(place, 100, size)
    return ("reclaim",)


@axis("services of one file", 100, 1_000)
def _services(place: Place, size: int) -> tuple[str, ...]:
    place.write("a/Dockerfile", "FROM scratch\nCOPY . /\n")
    rows = (f"  s{number}:\n    build: ./a\n    environment: {{A: '{number}'}}\n" for number in range(size))
    place.write("compose.yaml", "services:\n" + "".join(rows))
    return _FORECAST


@axis("plan, services", 50, 500)
def _plan_services(place: Place, size: int) -> tuple[str, ...]:
    _with_engine(place, 10, 0)
    place.write("a/Dockerfile", "FROM scratch\nCOPY . /\n")
    rows = (f"  s{number}:\n    build: ./a\n    environment: {{A: '{number}'}}\n" for number in range(size))
    place.write("compose.yaml", "services:\n" + "".join(rows))
    return ("plan",)


@axis("uv.lock, packages", 200, 2_000)
def _uv_lock(place: Place, size: int) -> tuple[str, ...]:
    names = [f"pkg-{number}" for number in range(size)]
    rows = []
    for name in names:
        under = name.replace("-", "_")
        held = scale_engine.wheel(under)
        url = f"{place.index}/files/{under}-1.0-py3-none-any.whl"
        hashed = scale_engine.digest_of(held)
        rows.append(
            f'[[package]]\nname = "{name}"\nversion = "1.0"\nsource = {{ registry = "{place.index}/simple" }}\n'
            f'wheels = [{{ url = "{url}", hash = "{hashed}", size = {len(held)} }}]\n\n'
        )
    needs = ", ".join(f'{{ name = "{name}" }}' for name in names)
    wants = ", ".join(f'{{ name = "{name}" }}' for name in names)
    rows.append(
        f'[[package]]\nname = "app"\nversion = "1.0"\nsource = {{ virtual = "." }}\ndependencies = [{needs}]\n\n'
        f"[package.metadata]\nrequires-dist = [{wants}]\n"
    )
    place.write("uv.lock", 'version = 1\nrequires-python = ">=3.11"\n\n' + "".join(rows))
    asked = ", ".join(f'"{name}"' for name in names)
    place.write(
        "pyproject.toml",
        f'[project]\nname = "app"\nversion = "1.0"\nrequires-python = ">=3.11"\ndependencies = [{asked}]\n',
    )
    place.dockerfile(f"{_BASE}COPY pyproject.toml uv.lock /\nRUN pip install uv && uv sync --frozen\n")
    place.engine = place.twice = True
    return ("forecast",)


@axis("requirements, warm", 100, 1_000)
def _requirements(place: Place, size: int) -> tuple[str, ...]:
    place.write("requirements.txt", "".join(f"pkg-{number}==1.0\n" for number in range(size)))
    place.dockerfile(f"{_BASE}COPY requirements.txt /\nRUN pip install -r requirements.txt\n")
    place.engine = place.twice = True
    return ("forecast",)


@axis("cold forecast, services", 3, 30)
def _cold(place: Place, size: int) -> tuple[str, ...]:
    rows = []
    for number in range(size):
        lines = "".join(f"pkg-{number}-{each}==1.0\n" for each in range(10))
        place.write(f"s{number}/requirements.txt", lines)
        place.write(f"s{number}/Dockerfile", f"{_BASE}COPY requirements.txt /\nRUN pip install -r requirements.txt\n")
        rows.append(f"  s{number}:\n    build: ./s{number}\n")
    place.write("compose.yaml", "services:\n" + "".join(rows))
    place.engine = True
    return ("forecast",)


@axis("warm forecast, services", 30, 300)
def _warm(place: Place, size: int) -> tuple[str, ...]:
    _cold(place, size)
    place.twice = True
    return ("forecast",)


@axis("instructions RUN", 1_000, 10_000)
def _runs(place: Place, size: int) -> tuple[str, ...]:
    return place.dockerfile("FROM scratch\n" + "".join(f"RUN make part-{number}\n" for number in range(size)))


@axis("commands of one RUN", 400, 4_000)
def _commands(place: Place, size: int) -> tuple[str, ...]:
    lines = "".join(f"make part-{number}\n" for number in range(size))
    return place.dockerfile(f"FROM scratch\nRUN <<EOF\n{lines}EOF\n")


@axis("continued lines of one RUN", 500, 5_000)
def _continued(place: Place, size: int) -> tuple[str, ...]:
    lines = " && \\\n".join(f"    echo part-{number}" for number in range(size))
    return place.dockerfile(f"FROM scratch\nRUN {lines}\n")


@axis("characters of one instruction", 13_000, 130_000)
def _characters(place: Place, size: int) -> tuple[str, ...]:
    words = " ".join(["word$X"] * max(1, size // 7))
    return place.dockerfile(f"FROM scratch\nARG X\nRUN echo {words}\n")


@axis("ARG doubled", 10, 20)
def _doubled(place: Place, size: int) -> tuple[str, ...]:
    lines = "".join(f"ARG A{number + 1}=${{A{number}}}${{A{number}}}\n" for number in range(size))
    return place.dockerfile(f"FROM scratch\nARG A0=x\n{lines}RUN echo $A{size}\n")


@axis("COPY --from chain, twice a stage", 5, 50)
def _copy_from(place: Place, size: int) -> tuple[str, ...]:
    stages = "".join(
        f"FROM scratch AS s{number + 1}\nCOPY --from=s{number} / /\nCOPY --from=s{number} / /\n"
        for number in range(size)
    )
    place.write("requirements.txt", "six\n")
    return place.dockerfile(
        f"FROM scratch AS s0\nCOPY . /\n{stages}{_BASE}COPY --from=s{size} / /\nRUN pip install -r /gone.txt\n"
    )


@axis("requirement includes, each twice", 5, 50)
def _includes(place: Place, size: int) -> tuple[str, ...]:
    for number in range(size):
        place.write(f"r{number}.txt", f"-r r{number + 1}.txt\n-r r{number + 1}.txt\n")
    place.write(f"r{size}.txt", "six\n")
    return place.dockerfile(f"{_BASE}COPY . /\nRUN pip install -r r0.txt\n")


@axis("requirement includes, in a chain", 50, 500)
def _include_chain(place: Place, size: int) -> tuple[str, ...]:
    for number in range(size):
        place.write(f"r{number}.txt", f"-r r{number + 1}.txt\n")
    place.write(f"r{size}.txt", "six\n")
    return place.dockerfile(f"{_BASE}COPY . /\nRUN pip install -r r0.txt\n")


@axis("nested default values", 100, 1_000)
def _nested(place: Place, size: int) -> tuple[str, ...]:
    return place.dockerfile("FROM scratch\nRUN echo hello\nENV B=" + "${A:-" * size + "x" + "}" * size + "\n")


def _files(place: Place, count: int, *, below: str = "", directories: int = 1) -> None:
    for number in range(directories if directories > 1 else 0):
        (place.directory / below / f"d{number}").mkdir(parents=True, exist_ok=True)
    (place.directory / below).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        inner = f"d{number % directories}/" if directories > 1 else ""
        (place.directory / below / f"{inner}f{number}").write_bytes(b"%d" % number)


@axis("COPY instructions", 100, 1_000)
def _copies(place: Place, size: int) -> tuple[str, ...]:
    _files(place, size)
    return place.dockerfile("FROM scratch\n" + "".join(f"COPY f{number} /\n" for number in range(size)))


@axis("COPY instructions, context of 10,000", 100, 1_000)
def _copies_large(place: Place, size: int) -> tuple[str, ...]:
    _files(place, 10_000, directories=10)
    return place.dockerfile("FROM scratch\n" + "".join(f"COPY d{number % 10}/f{number} /\n" for number in range(size)))


@axis("COPY of patterns, context of 10,000", 10, 100)
def _globs(place: Place, size: int) -> tuple[str, ...]:
    _files(place, 10_000)
    return place.dockerfile("FROM scratch\n" + "".join(f"COPY f{number}* /\n" for number in range(size)))


@axis("links named by COPY", 1_000, 10_000)
def _links(place: Place, size: int) -> tuple[str, ...]:
    (place.directory / "l").mkdir()
    place.write("l/file", "x")
    for number in range(size):
        (place.directory / "l" / f"to{number}").symlink_to("file")
    return place.dockerfile("FROM scratch\nCOPY l/to* /\n")


@axis("levels of a tree", 100, 1_000)
def _levels(place: Place, size: int) -> tuple[str, ...]:
    here = os.open(place.directory, os.O_RDONLY)
    for _ in range(size):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=below))
        os.close(here)
        here = below
    os.close(here)
    return place.dockerfile("FROM scratch\nCOPY . /\n")


@axis("files of the same size", 20, 200)
def _same_size(place: Place, size: int) -> tuple[str, ...]:
    for number in range(size):
        (place.directory / f"shard{number}").write_bytes(b"%06d" % number + bytes(1_100_000))
    return place.dockerfile("FROM scratch\nCOPY shard* /\n")


@axis("ENV instructions", 99, 990)
def _environment(place: Place, size: int) -> tuple[str, ...]:
    return place.dockerfile("FROM scratch\n" + "".join(f"ENV A{number}=v{number}\n" for number in range(size)))


@axis("files of a context", 10_000, 100_000)
def _context(place: Place, size: int) -> tuple[str, ...]:
    _files(place, size, below="c", directories=100)
    return place.dockerfile("FROM scratch\nCOPY c /c\n")


@axis("files of a context, again", 10_000, 100_000)
def _context_again(place: Place, size: int) -> tuple[str, ...]:
    place.twice = True
    return _context(place, size)


@axis("patterns of .dockerignore, 10,000 files", 100, 1_000)
def _ignored(place: Place, size: int) -> tuple[str, ...]:
    _files(place, 10_000, directories=10)
    place.write(".dockerignore", "".join(f"**/*.x{number}\n" for number in range(size)))
    return place.dockerfile("FROM scratch\nCOPY . /\n")


@axis("explain, digits in one line", 10_000, 100_000)
def _digits(place: Place, size: int) -> tuple[str, ...]:
    place.write("log", "0" * size + "\n")
    return ("explain", "log")


@axis("explain, words in one line", 10_000, 100_000)
def _words(place: Place, size: int) -> tuple[str, ...]:
    place.write("log", "more space needed on the " * size + "runner.worker" * size + "\n")
    return ("explain", "log")


@axis("explain, complaints", 10_000, 100_000)
def _complaints(place: Place, size: int) -> tuple[str, ...]:
    place.write("log", "".join(f"write /a/{number}: no space left on device\n" for number in range(size)))
    return ("explain", "log")


@axis("explain, megabytes of a pipe", 100, 1_000)
def _pipe(place: Place, size: int) -> tuple[str, ...]:
    path = place.directory / "log"
    line = b"#12 3.456 building something of no interest at all, over and over again\n"
    with path.open("wb") as file:
        for _ in range(size):
            file.write(line * (1_000_000 // len(line)))
        file.write(b"write /a: no space left on device\n")
    place.input = path
    return ("explain", "-")


@axis("journal, runs", 1_000, 50_000)
def _journal(place: Place, size: int) -> tuple[str, ...]:
    state = place.directory / "state"
    scale_journal.fill(state / "journal.sqlite", size)
    place.environment["TONNAGE_STATE_DIR"] = str(state)
    return place.dockerfile("FROM scratch\nRUN make it\n")


@axis("lint, Dockerfiles", 100, 1_000)
def _lint(place: Place, size: int) -> tuple[str, ...]:
    for number in range(size):
        place.write(f"s{number}/Dockerfile", f"{_BASE}RUN apt-get update && apt-get install -y curl{number}\n")
    return ("lint", "--offline", *[f"s{number}/Dockerfile" for number in range(size)])


@axis("lint, instructions", 200, 2_000)
def _lint_one(place: Place, size: int) -> tuple[str, ...]:
    lines = (f"RUN apt-get update && apt-get install -y curl{number}\n" for number in range(size))
    place.write("Dockerfile", _BASE + "".join(lines))
    return ("lint", "--offline", "Dockerfile")


class Cost(Struct):
    """What one run took."""

    seconds: float
    megabytes: float
    code: int | None
    wall_s: float
    said: str


def run(arguments: tuple[str, ...], place: Place, environment: dict[str, str], limit_s: float) -> Cost:
    """Run the command; at its limit it is stopped with all that it has started."""
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(tempfile.TemporaryFile())
        given: int = subprocess.DEVNULL
        if place.input is not None:
            reader = stack.enter_context(subprocess.Popen(["cat", place.input], stdout=subprocess.PIPE))
            given = reader.stdout.fileno() if reader.stdout else given
        child = subprocess.Popen(
            [TONNAGE, *arguments], stdin=given, stdout=output, stderr=output, cwd=place.directory, env=environment,
            start_new_session=True,
        )  # fmt: skip
        if place.input is not None and reader.stdout:
            reader.stdout.close()
        stopped = threading.Event()

        def stop() -> None:
            stopped.set()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)

        timer = threading.Timer(limit_s, stop)
        timer.start()
        _, status, used = os.wait4(child.pid, 0)
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace")
    code = None if stopped.is_set() else child.returncode
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, code, time.monotonic() - begun, said)


@contextlib.contextmanager
def _surroundings(place: Place) -> Iterator[dict[str, str]]:
    """Give the environment of a command, its engine answering."""
    home = place.directory.parent / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    environment = {
        **kept,
        "HOME": str(home),
        "TONNAGE_STATE_DIR": str(home / "state"),
        "TONNAGE_CACHE_DIR": str(home / "cache"),
        "PIP_INDEX_URL": f"{place.index}/simple/",
        "DOCKER_HOST": f"unix://{home}/none.sock",
        **place.environment,
    }
    if not place.engine:
        yield environment
        return
    root, socket = home / "docker", home / "e.sock"
    root.mkdir()
    replies = scale_engine.EngineReplies(root, place.images, place.records)
    with scale_engine.engine(replies, socket):
        yield environment | {"DOCKER_HOST": f"unix://{socket}"}


def measure(name: str, size: int, index: str, rounds: int, limit_s: float) -> Cost:
    """Make an axis at a size and run its command."""
    with tempfile.TemporaryDirectory(prefix="tn", ignore_cleanup_errors=True) as made:
        directory = Path(made, "stack")
        directory.mkdir()
        place = Place(directory, index, {})
        arguments = AXES[name][2](place, size)
        with _surroundings(place) as environment:
            if place.twice:
                run(arguments, place, environment, limit_s * 3)
            found: list[Cost] = []
            for _ in range(rounds):
                found.append(run(arguments, place, environment, limit_s))
                if found[-1].code is None:
                    break
        # Trees deeper than Python's recursion goes are among them.
        subprocess.run(["rm", "-rf", directory], check=False)
    median = statistics.median_low([each.seconds for each in found])
    return next(each for each in found if each.seconds == median)


def exponent(small: int, large: int, floor_s: float, costs: tuple[Cost, Cost]) -> float | None:
    """Return the exponent between two sizes; None where start-up hides it."""
    low, high = (max(0.0, each.seconds - floor_s) for each in costs)
    if min(low, high) < _LEAST_S or large <= small:
        return None
    return math.log(high / low) / math.log(large / small)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="axes whose names begin so")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--limit", type=float, default=90.0, help="seconds after which a command is stopped")
    parser.add_argument("--times", type=float, default=1.0, help="how much larger the large sizes are")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--show", action="store_true", help="print what the commands said")
    asked = parser.parse_args()
    names = [name for name in AXES if not asked.only or name.startswith(tuple(asked.only))]
    print("| axis | sizes | CPU s | RSS MB | exponent | exit |\n|---|---|---|---|---|---|")
    with scale_engine.index() as index:
        for name in names:
            small, large, _ = AXES[name]
            large = int(large * asked.times)
            first = measure(name, 1, index, asked.rounds, asked.limit)
            costs = tuple(measure(name, size, index, asked.rounds, asked.limit) for size in (small, large))
            grown = exponent(small, large, first.seconds, (costs[0], costs[1]))
            seconds = ", ".join(f"{each.seconds:.2f}{'+' if each.code is None else ''}" for each in (first, *costs))
            memory = ", ".join(f"{each.megabytes:.0f}" for each in costs)
            codes = ", ".join("limit" if each.code is None else str(each.code) for each in costs)
            shown = "-" if grown is None else f"{grown:.1f}"
            print(f"| {name} | 1, {small:,}, {large:,} | {seconds} | {memory} | {shown} | {codes} |", flush=True)
            if asked.show:
                print("\n".join(each.said[-1500:] for each in costs))
            if asked.json:
                print(json.dumps({"axis": name, "seconds": [each.seconds for each in costs]}))


if __name__ == "__main__":
    main()
