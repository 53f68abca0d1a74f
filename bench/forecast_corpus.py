#!/usr/bin/env python3
"""Forecast vs. measured: services in the shapes of public ones, built on real engines after they were forecast.

    bench/forecast_corpus.py --base python:3.11-slim=$(script/base-image)
    bench/forecast_corpus.py --base ... --engine trixie-containerd --service uv-sync --service npm-ci
    bench/forecast_corpus.py --base ... --large      # the large ones, torch among them: needs 22 GB below TMPDIR
    bench/forecast_corpus.py --base ... --markdown   # the table of docs/forecast.md
    bench/forecast_corpus.py --base ... --services DIRECTORY   # files like those of bench/services, from elsewhere

Needs Linux and root. The services are those of ``bench/services``. Each engine is a private one on a disk of its own
(``tests/engine_root.py``): that of Docker 20.10 and of 26 without ``--engine``. Each service is forecast without
anything that was learned, then built by plain ``docker build`` on the same engine without any cache of its builder.
Image bytes are what ``docker image ls`` shows, disk and peak what ``statvfs`` tells, 100 times a second. Download is
what a proxy of this program passes from servers other than the package index itself, encryption included; what comes
unencrypted does not pass there, as apt's packages do, so it is compared where the forecast is exact.

It ends with 1 where an exact figure is further off than allowed, where anything measured is above its high figure,
where an instruction is forecast with 0 bytes that wrote some, or, where images do not lie in containerd, where the
layer of an instruction of the last stage is above its high figure or not what is exact.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from counting import Counting
from tests.engine_root import EngineName, in_front
from tests.real_engine import real_engine

from tonnage.forecast.python.index_access import index_access
from tonnage.forecast.python.uv import Uv
from tonnage.model.forecast.python_lock import ResolveRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tests.real_engine import RealEngine

REPOSITORY = Path(__file__).resolve().parents[1]
SERVICES = REPOSITORY / "bench" / "services"
BASES = ("node",)
ENGINES = ("bookworm", "trixie", "trixie-containerd", "sid", "sid-containerd")
TONNAGE = str(Path(sys.executable).with_name("tonnage"))
DISK_BYTES, LARGE_DISK_BYTES = 6_000_000_000, 22_000_000_000
SETTLE_S = 0.5
FIGURES = ("image", "disk", "peak")
# How far a figure of a grade may be from what is measured.
EXACT = {"image": 0.01, "disk": 0.02, "peak": 0.05, "download": 0.01}
# What an engine writes down of itself meanwhile is no part of a service.
NOISE_BYTES = 300_000
# What a proxy passes besides of what is fetched: encryption, questions, and metadata that is read by ranges.
CARRIED_BYTES = 1_000_000
# A whole layer that is forecast as nothing.
SILENT_BYTES = 1_000_000
_LAYERED = ("RUN", "COPY", "ADD")
_GRADES = ("exact", "declared", "learned", "unknown")


@dataclass(frozen=True)
class Case:
    """A stack: what makes the context of each service, in the order of building, and the platforms of all.

    ``bases`` are services of ``bench/services`` that are built before and stay, because it stands on them. ``build`` is
    what the build section of the last service has besides. A ``classic`` case is built by the builder before BuildKit.
    """

    name: str
    services: dict[str, Callable[[Path], str]]
    platforms: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    since: int = 0
    large: bool = False
    bases: tuple[str, ...] = ()
    build: tuple[tuple[str, Any], ...] = ()
    classic: bool = False


class Watch(threading.Thread):
    """The least bytes that were free on a filesystem, those kept for root included: builds run as root."""

    def __init__(self, mount: str) -> None:
        super().__init__(daemon=True)
        self.mount = mount
        self.least_bytes = self.free_bytes()
        self.ended = threading.Event()

    def free_bytes(self) -> int:
        """Return the free bytes now."""
        found = os.statvfs(self.mount)
        return found.f_bfree * found.f_frsize

    def run(self) -> None:
        """Look 100 times a second."""
        while not self.ended.wait(0.01):
            self.least_bytes = min(self.least_bytes, self.free_bytes())


def services(directory: Path = SERVICES) -> Iterator[Case]:
    """Yield every service of a corpus."""
    for path in sorted(directory.glob("*.toml")):
        for told in tomllib.loads(path.read_text())["service"]:
            texts = told.get("texts", {"it": told.get("text", "")})
            yield Case(
                told["name"],
                {name: _maker(told | {"text": text}) for name, text in texts.items()},
                arguments=tuple(f"{name}={value}" for name, value in told.get("arguments", {}).items()),
                since=told.get("since", 0),
                large=told.get("large", False),
                build=tuple(told.get("build", {}).items()),
                classic=told.get("classic", False),
                bases=tuple(each for each in BASES if any(f"FROM {each}" in text for text in texts.values())),
            )


def _maker(told: dict[str, Any]) -> Callable[[Path], str]:
    """Return what writes the context of a service, and returns its Dockerfile."""

    def made(context: Path) -> str:
        if "directory" in told:
            shutil.copytree(REPOSITORY / told["directory"], context, dirs_exist_ok=True)
            return (context / str(told.get("dockerfile", "Dockerfile"))).read_text()
        for name, content in told.get("files", {}).items():
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            (context / name).write_text(content)
        for name, size_bytes in told.get("random", {}).items():
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            chance = random.Random(name)  # noqa: S311 - the same in every run
            (context / name).write_bytes(chance.randbytes(size_bytes))
        for command in told.get("prepare", ()):
            subprocess.run(["sh", "-c", command], cwd=context, check=True, capture_output=True)
        return str(told["text"]).lstrip()

    return made


def write(case: Case, directory: Path, platforms: tuple[str, ...]) -> None:
    """Write a stack into a directory."""
    written: dict[str, dict[str, Any]] = {}
    for name, make in case.services.items():
        context = directory / name
        context.mkdir()
        (context / "Dockerfile").write_text(make(context))
        with (context / ".dockerignore").open("a") as ignored:
            ignored.write("Dockerfile\n.dockerignore\n")
        build: dict[str, object] = {"context": f"./{name}", "args": list(case.arguments)}
        build |= {"platforms": list(platforms)} if platforms else {}
        written[name] = {"build": build, "image": f"bench/{name}"}
    written[list(written)[-1]]["build"] |= dict(case.build)
    (directory / "compose.yaml").write_text(json.dumps({"name": "bench", "services": written}))


def used(engine: RealEngine) -> int:
    """Return the bytes in use where images lie, when they change no more."""
    last = -1
    while True:
        # Of this filesystem alone: what others write does not matter.
        subprocess.run(["sync", "-f", engine.images_mount], check=True)
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


@dataclass(frozen=True)
class Seen:
    """What was measured of a build: its figures, and the bytes of each layer by its instruction, oldest first."""

    figures: dict[str, int]
    layers: tuple[tuple[str, int], ...]


def measure(case: Case, engine: RealEngine, directory: Path, platforms: tuple[str, ...], proxy: Counting) -> Seen:
    """Build a stack and return what was measured."""
    environment = engine.environment | {"DOCKER_BUILDKIT": "0" if case.classic else "1"}
    # Builders know these names, so that they are part of no layer.
    arguments = (*case.arguments, f"HTTPS_PROXY={proxy.address}", f"https_proxy={proxy.address}")
    words = [word for each in arguments for word in ("--build-arg", each)]
    proxy.by_host.clear()
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
            asked = _flags(case, directory) if name == list(case.services)[-1] else ()
            docker(environment, *way, *words, *asked, "--quiet", "--tag", f"bench/{name}", str(directory / name))
        after = used(engine)
    finally:
        watch.ended.set()
        watch.join()
    # The last one has the layers of all.
    last = f"bench/{list(case.services)[-1]}"
    api: Any = engine.client.api
    figures = {
        "image": api.images(last)[0]["Size"], "disk": after - before, "peak": start - watch.least_bytes,
    }  # fmt: skip
    access = index_access(ResolveRequest(requirements=()), os.environ)
    index = access.index_url or Uv(Path(os.devnull) / "uv", os.environ).default_index(access)
    indexes = {urlsplit(each).hostname for each in (*access.extra_index_urls, index)}
    if fetched := sum(count for host, count in proxy.by_host.items() if host not in indexes):
        # Where archives come from the index's own host, they cannot be told from its pages.
        figures["download"] = fetched
    history = ((told["CreatedBy"].partition(" ")[0], told["Size"]) for told in api.history(last))
    return Seen(figures, tuple((word, size) for word, size in history if word in _LAYERED)[::-1])


def _flags(case: Case, directory: Path) -> list[str]:
    """Return the options of ``docker build`` for what a build section has besides."""
    asked = dict(case.build)
    words = ["--target", asked["target"]] if "target" in asked else []
    for name, where in asked.get("additional_contexts", {}).items():
        words += ["--build-context", f"{name}={directory / where if where.startswith('.') else where}"]
    return words


def forecast(engine: RealEngine, directory: Path, *, probe: bool, classic: bool = False) -> dict[str, Any]:
    """Return the forecast of a stack on an engine, with nothing learned."""
    done = subprocess.run(
        [TONNAGE, "forecast", "--json", *(("--probe",) if probe else ())],
        cwd=directory,
        env=engine.environment
        | {"TONNAGE_STATE_DIR": str(directory / "state"), "DOCKER_BUILDKIT": "0" if classic else "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in {0, 2}:
        raise RuntimeError(done.stderr[-2000:])
    told: dict[str, Any] = json.loads(done.stdout)
    return told | {"cannot": done.returncode != 0}


def figures_of(stack: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the figures of a forecast that are measured."""
    disk, on_top = stack["disk_bytes"], stack["transient_bytes"]
    peak = {name: disk[name] + on_top[name] for name in ("low", "likely", "high")}
    peak["grade"] = max(disk["grade"], on_top["grade"], key=_GRADES.index)
    return {"image": stack["image_bytes"], "disk": disk, "peak": peak, "download": stack["download_bytes"]}


def rows(
    told: dict[str, dict[str, Any]], seen: dict[str, int], limits: dict[str, dict[str, float]]
) -> Iterator[tuple[str, dict[str, Any], int, str]]:
    """Yield for each figure its forecast, what was measured, and what is wrong with it; empty for nothing."""
    for figure, forecasted in told.items():
        exact = forecasted["grade"] == "exact"
        if figure not in seen or (figure == "download" and not exact):
            continue
        measured, off = seen[figure], abs(forecasted["likely"] - seen[figure])
        limit = limits.get(forecasted["grade"], {}).get(figure)
        # A proxy counts what carries the bytes as well, which is no part of what is fetched.
        wrong = ["ABOVE HIGH"] if measured > forecasted["high"] and figure != "download" else []
        if limit is not None and off > max(limit * measured, NOISE_BYTES if figure != "download" else CARRIED_BYTES):
            wrong.append("TOO FAR")
        yield figure, forecasted, measured, " ".join(wrong)


def layers_of(told: dict[str, Any], layers: Sequence[tuple[str, int]]) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield each instruction of the last stage that makes a layer, and the bytes of that."""
    if not told["steps"]:
        return
    stage = told["steps"][-1]["stage"]
    for word in _LAYERED:
        steps = [
            each for each in told["steps"] if each["stage"] == stage and each["text"].split(" ")[0].upper() == word
        ]
        sizes = [size for name, size in layers if name == word]
        yield from zip(reversed(steps), reversed(sizes), strict=False)


def false_layers(told: dict[str, Any], layers: Sequence[tuple[str, int]], *, compressed: bool) -> Iterator[str]:
    """Yield what is false of instructions of the last stage: nothing that wrote something, too low, not exact.

    Args:
        told: The forecast of a service.
        layers: The instruction and the bytes of each layer of its image.
        compressed: The forecast counts what layers take compressed as well, which no layer tells.
    """
    for step, size in layers_of(told, layers):
        figures = step["image_bytes"]
        off = abs(figures["likely"] - size)
        if size > SILENT_BYTES and not figures["high"]:
            yield f"line {step['line']} is forecast with nothing and wrote {size} bytes"
        elif compressed:
            continue
        elif size > figures["high"] + NOISE_BYTES:
            yield f"line {step['line']} wrote {size} bytes, above its high figure, {figures['high']}"
        elif figures["grade"] == "exact" and off > max(EXACT["image"] * size, NOISE_BYTES):
            yield f"line {step['line']} wrote {size} bytes, forecast exactly with {figures['likely']}"


def show(
    engine: str, case: Case, told: dict[str, Any], seen: Seen, given: argparse.Namespace, limits: dict[str, Any]
) -> bool:
    """Print forecast vs. measured; return whether every limit held."""
    if given.layers:
        for step, size in sorted(layers_of(told["services"][-1], seen.layers), key=lambda each: int(each[0]["line"])):
            figures = step["image_bytes"]
            print(
                f"{engine:18} {case.name:20} line {step['line']:<3} {figures['likely']:>12.0f} {size:>12} "
                f"  {figures['low']:>12.0f} to {figures['high']:>12.0f} {figures['grade']:9}{step['text'][:60]!r}"
            )
    compressed = "containerd" in told["engine_kind"]
    wrongs = [
        each for service in told["services"][-1:] for each in false_layers(service, seen.layers, compressed=compressed)
    ]
    wrongs += ["CANNOT BE BUILT, it says"] if told["cannot"] else []
    cells = {}
    for figure, forecasted, measured, wrong in rows(figures_of(told["stack"]), seen.figures, limits):
        wrongs += [wrong] if wrong else []
        likely = forecasted["likely"]
        error = f"{(likely - measured) / measured * 100:+.1f} %" if measured else "-"
        if abs(likely - measured) < NOISE_BYTES:
            error = f"{(likely - measured) / 1e6:+.1f} MB"
        cells[figure] = f"{likely / 1e6:.1f} / {measured / 1e6:.1f} MB, {error}, {forecasted['grade']} {wrong}".strip()
        if not given.markdown:
            print(
                f"{engine:18} {case.name:20} {figure:8} {likely:>12.0f} {measured:>12} {error:>9}"
                f"  {forecasted['low']:>12.0f} to {forecasted['high']:>12.0f} {forecasted['grade']:9}{wrong}",
                flush=True,
            )
    for each in wrongs:
        print(f"{engine:18} {case.name:20} {each}", file=sys.stderr if given.markdown else sys.stdout, flush=True)
    if given.markdown:
        print(f"| {case.name} | {' | '.join(cells[figure] for figure in FIGURES)} |", flush=True)
    return not wrongs


def run(cases: Iterable[Case], given: argparse.Namespace, limits: dict[str, Any]) -> bool:
    """Forecast and build cases on engines; return whether every limit held.

    Args:
        cases: What to build.
        given: The engines, the archives of base images and how to print.
        limits: How far figures may be off, by grade.
    """
    held = True
    chosen = [*cases]
    size = LARGE_DISK_BYTES if any(case.large for case in chosen) else DISK_BYTES
    for name in given.engine:
        if given.markdown:
            print(f"\n### {name}\n\n| service | image | disk | peak |\n|---|---|---|---|")
        with in_front(EngineName.read(name)), real_engine(size) as engine:
            # The other end of the engine's link is this machine.
            proxy = Counting(str(ipaddress.ip_address(engine.address) - 1))
            proxy.start()
            for base in given.base:
                docker(engine.environment, "load", "--quiet", "--input", base.partition("=")[2])
            for base in sorted({base for case in chosen for base in case.bases}):
                docker(engine.environment, "build", "--quiet", "--tag", base, str(SERVICES / base))
            major = int(engine.client.version()["Version"].partition(".")[0])
            for case in (each for each in chosen if each.since <= major):
                began = time.monotonic()
                held = one(name, case, engine, proxy, given, limits) and held
                print(f"{name:18} {case.name:20} {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return held


def one(
    name: str, case: Case, engine: RealEngine, proxy: Counting, given: argparse.Namespace, limits: dict[str, Any]
) -> bool:
    """Forecast and build one case; return whether every limit held."""
    platforms = case.platforms if "containerd" in name else ()
    with tempfile.TemporaryDirectory() as made:
        try:
            write(case, Path(made), platforms)
            told = forecast(engine, Path(made), probe=given.probe, classic=case.classic)
            seen = measure(case, engine, Path(made), platforms, proxy)
        except (RuntimeError, subprocess.CalledProcessError) as error:
            print(f"{name:18} {case.name:20} FAILED: {error}", flush=True)
            return False
        held = show(name, case, told, seen, given, limits)
    docker(engine.environment, "image", "rm", "--force", *(f"bench/{each}" for each in case.services))
    docker(engine.environment, "builder", "prune", "--all", "--force")
    return held


def parser(names: Iterable[str], engines: Sequence[str], description: str | None) -> argparse.ArgumentParser:
    """Return the options of a bench that builds on engines."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--base", action="append", required=True, help="NAME=ARCHIVE; may be repeated")
    made.add_argument("--engine", action="append", choices=ENGINES, help=f"may be repeated; else {', '.join(engines)}")
    made.add_argument("--service", action="append", choices=[*names], help="may be repeated; all without")
    made.add_argument("--markdown", action="store_true", help="print tables for a document")
    made.add_argument("--layers", action="store_true", help="print the layers of the last stage as well")
    made.add_argument("--probe", action="store_true", help="forecast with --probe")
    return made


def main() -> int:
    """Measure."""
    # ``--service`` is no short form of ``--services``.
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--services", type=Path, default=SERVICES, help="the directory with the services")
    where, rest = first.parse_known_args()
    known = {case.name: case for case in services(where.services)}
    options = parser(known, ENGINES[:2], __doc__)
    options.add_argument("--large", action="store_true", help="the large services, and nothing else")
    options.add_argument("--services", metavar="DIRECTORY", help="the services of files there, like bench/services")
    given = options.parse_args(rest)
    given.engine = given.engine or ENGINES[:2]
    names = given.service or [name for name, case in known.items() if case.large == given.large]
    if not names:
        options.error(f"{where.services} has no services to build")
    return 0 if run([known[name] for name in names], given, {"exact": EXACT}) else 1


if __name__ == "__main__":
    raise SystemExit(main())
