#!/usr/bin/env python3
"""Forecast beside measured: images built on a real engine, on a disk of their own, after they were forecast.

    bench/forecast.py --base python:3.11-slim=FILE                 # the small cases
    bench/forecast.py --base python:3.11-slim=FILE --case pip --case uv
    bench/forecast.py --base python:3.11-slim=FILE --torch         # everything with torch: needs 22 GB below TMPDIR

Needs Linux and root. Each case is forecast first, with the engine but without any cache of its builder, then built with
BuildKit (or the classic builder: ``--engine classic``) on the same engine. Image bytes are what the engine tells of the
image's layers, disk and peak what ``statvfs`` tells 100 times a second. Download is what a proxy of this program passes
from servers other than the package index itself, encryption included; what comes unencrypted does not pass there, as
apt's packages do, so it is compared where the forecast is exact. It ends with 1 when a limit does not hold.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from counting import Counting

from tonnage.adapters.docker.tools import Tools
from tonnage.adapters.private_engine import PrivateEngine
from tonnage.forecast.python.index_access import index_access
from tonnage.forecast.python.uv import Uv
from tonnage.model.forecast.python_lock import ResolveRequest
from tonnage.units import parse_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

REPOSITORY = Path(__file__).resolve().parents[1]
WEB = ("fastapi", "uvicorn", "numpy", "pandas", "scikit-learn", "onnxruntime", "transformers")
SETTLE_S = 2.0
# How far an exact forecast may be from what is measured, and how far apart its own ends may be.
LIMITS = {"image": 0.01, "disk": 0.02, "peak": 0.05, "download": 0.01}
WIDEST = 1.25
# Below this a file more or less of an installer is more than a hundredth.
SMALL_BYTES = 1_000_000


@dataclass(frozen=True)
class Case:
    """A context to build: its files, or a directory that is there, with the Dockerfile in it and build arguments."""

    name: str
    files: dict[str, str] = field(default_factory=dict)
    directory: str = ""
    dockerfile: str = "Dockerfile"
    arguments: dict[str, str] = field(default_factory=dict)
    torch: bool = False


def python(*lines: str, base: str = "python:3.11-slim") -> str:
    """Return a Dockerfile."""
    return "\n".join((f"FROM {base}", "WORKDIR /app", "COPY requirements.txt .", *lines, "")) + "\n"


def cases() -> dict[str, Case]:
    """Return every case by name."""
    web = {"requirements.txt": "\n".join(WEB) + "\n"}
    small = {"requirements.txt": "fastapi\nuvicorn\nnumpy\n"}
    torch = {"requirements.txt": "torch==2.3.1\n"}
    install = "RUN pip install --no-cache-dir -r requirements.txt"
    uv = "RUN pip install --no-cache-dir uv"
    found = [
        Case("pip", {**web, "Dockerfile": python(install)}),
        Case("pip-no-compile", {**small, "Dockerfile": python(f"{install} --no-compile")}),
        Case("pip-cache-in-layer", {**small, "Dockerfile": python("RUN pip install -r requirements.txt")}),
        Case("uv", {**web, "Dockerfile": python(uv, "RUN uv pip install --system --no-cache -r requirements.txt")}),
        Case("uv-cache", {**small, "Dockerfile": python(uv, "RUN uv pip install --system -r requirements.txt")}),
        Case(
            "apt-pip",
            {
                **small,
                "Dockerfile": python(
                    "RUN apt-get update && apt-get install -y --no-install-recommends libgl1 curl"
                    " && rm -rf /var/lib/apt/lists/*",
                    install,
                ),
            },
        ),
        Case(
            "multi-stage",
            {
                **small,
                "app.py": "print('hello')\n",
                "Dockerfile": python("RUN python -m venv --without-pip /venv", f"{install} --prefix /venv").replace(
                    "FROM python:3.11-slim", "FROM python:3.11-slim AS packages"
                )
                + "FROM python:3.11-slim\nCOPY --from=packages /venv /venv\nCOPY app.py .\n",
            },
        ),
        Case(
            "copy-chown",
            {**small, "big.bin": "x" * 30_000_011, "Dockerfile": python("COPY . .", "RUN chown -R 7 /app")},
        ),
    ]
    found += earlier_installs(small)
    found += [Case(f"hello-{name}", directory=f"examples/hello/{name}") for name in ("stats", "matrix", "model")]
    vision = ("yolo-combined", "mmpose", "yolo-nas")
    found += [
        Case(f"vision-{name}", directory="examples/vision", dockerfile=f"{name}-service/Dockerfile") for name in vision
    ]
    found += [
        Case("vision-gateway", directory="examples/vision", dockerfile="gateway/Dockerfile"),
        Case("torch-pip", {**torch, "Dockerfile": python(install)}, torch=True),
        Case(
            "torch-uv",
            {**torch, "Dockerfile": python(uv, "RUN uv pip install --system --no-cache -r requirements.txt")},
            torch=True,
        ),
    ]
    found += [
        Case(
            f"vision-{name}-torch",
            directory="examples/vision",
            dockerfile=f"{name}-service/Dockerfile",
            arguments={"BACKEND": "torch"},
            torch=True,
        )
        for name in vision
    ]
    return {case.name: case for case in found}


def earlier_installs(small: dict[str, str]) -> list[Case]:
    """Return cases of what is installed already, is removed in the same instruction, or is written by the build."""
    lines = {
        "satisfied": ("RUN pip install --no-cache-dir numpy==1.26.4", "RUN pip install --no-cache-dir pandas==2.2.3"),
        "replaced-same": ("RUN pip install --no-cache-dir 'numpy<2' && pip install --no-cache-dir 'numpy>=2'",),
        "uninstalled-same": ("RUN pip install --no-cache-dir pandas==2.2.3 && pip uninstall -y pandas",),
        "removed-same": ("RUN pip install --no-cache-dir -t /p numpy==1.26.4 && rm -rf /p/numpy/core /p/numpy.libs",),
        "bytecode-deleted": ("RUN pip install --no-cache-dir numpy scipy && find /usr/local -name '*.pyc' -delete",),
        "written": ("RUN grep -v uvicorn requirements.txt > /r.txt && pip install --no-cache-dir -r /r.txt",),
    }
    return [Case(name, {**small, "Dockerfile": python(*its)}) for name, its in lines.items()]


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


def forecast(directory: Path, environment: dict[str, str], engine: str) -> dict[str, dict[str, object]]:
    """Return the forecast of the one service of a stack, as the command prints it."""
    began = time.monotonic()
    command = ["tonnage", "forecast", "--json", "--engine", engine]
    told = subprocess.run(command, cwd=directory, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, dict[str, object]] = json.loads(told.stdout)["services"][0]
    found["seconds"] = {"likely": time.monotonic() - began}
    return found


def build(
    case: Case, context: Path, environment: dict[str, str], docker: str, engine: str, mount: str, proxy: Counting
) -> dict[str, int] | str:
    """Build a context and return what was measured, or the last lines of what failed."""
    environment = {**environment, "DOCKER_BUILDKIT": "0" if engine == "classic" else "1"}
    arguments = [
        *(f"{name}={value}" for name, value in case.arguments.items()),
        # Builders know these names, so that they are part of no layer.
        f"HTTPS_PROXY={proxy.address}",
        f"https_proxy={proxy.address}",
    ]
    os.sync()
    time.sleep(SETTLE_S)
    watch = Watch(mount)
    before = watch.free_bytes()
    watch.start()
    done = subprocess.run(
        [
            docker, "build", "-t", "bench:now", "-f", str(context / case.dockerfile),
            *(word for each in arguments for word in ("--build-arg", each)), ".",
        ],
        cwd=context, env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    os.sync()
    time.sleep(SETTLE_S)
    watch.ended.set()
    watch.join()
    if done.returncode:
        return "\n".join((done.stdout + done.stderr).splitlines()[-8:])
    size = subprocess.run(
        [docker, "image", "inspect", "-f", "{{.Size}}", "bench:now"],
        env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    measured = {
        "image": int(size.stdout),
        "disk": before - watch.free_bytes(),
        "peak": before - watch.least_bytes,
    }
    access = index_access(ResolveRequest(requirements=()), os.environ)
    indexes = (
        *access.extra_index_urls,
        access.index_url or Uv(Path(os.devnull) / "uv", os.environ).default_index(access),
    )
    fetched_bytes = sum(
        count for host, count in proxy.by_host.items() if host not in {urlsplit(i).hostname for i in indexes}
    )
    # Where archives come from the index's own host, they cannot be told from its pages.
    return measured | ({"download": fetched_bytes} if fetched_bytes else {})


def compare(name: str, told: dict[str, dict[str, object]], seen: dict[str, int]) -> bool:
    """Print forecast beside measured; return whether every limit held."""
    disk, transient = told["disk_bytes"], told["transient_bytes"]
    peak: dict[str, object] = {key: _number(disk, key) + _number(transient, key) for key in ("low", "likely", "high")}
    peak["grade"] = disk["grade"] if transient["grade"] == "exact" else transient["grade"]
    figures = {"image": told["image_bytes"], "disk": disk, "peak": peak, "download": told["download_bytes"]}
    all_held = True
    for figure, forecasted in figures.items():
        exact = forecasted["grade"] == "exact"
        if figure not in seen or (figure == "download" and not exact):
            continue
        measured, likely = seen[figure], _number(forecasted, "likely")
        low, high = _number(forecasted, "low"), _number(forecasted, "high")
        off = abs(likely - measured)
        # A proxy counts what carries the bytes as well, which is no part of what is fetched.
        broken = ["HIGH IS BELOW"] if high < measured and figure != "download" else []
        if exact:
            broken += ["TOO FAR"] if off > LIMITS[figure] * measured and off > SMALL_BYTES * LIMITS[figure] else []
            broken += ["TOO WIDE"] if high > WIDEST * low and high - low > SMALL_BYTES else []
        all_held = all_held and not broken
        print(
            f"{name:20} {figure:8} forecast {likely:>13} measured {measured:>13}"
            f" error {(likely - measured) / measured * 100 if measured else 0.0:+6.2f} %"
            f"  low {low:>13} high {high:>13} {forecasted['grade']} {' '.join(broken)}",
            flush=True,
        )
    print(f"{name:20} forecast took {_number(told['seconds'], 'likely'):.1f} s", flush=True)
    return all_held


def _number(figures: dict[str, object], key: str) -> float:
    value = figures[key]
    assert isinstance(value, int | float)  # noqa: S101 - only the two kinds are measured
    return value


def write(case: Case, directory: Path) -> None:
    """Write the stack of a case into a directory."""
    context = REPOSITORY / case.directory if case.directory else directory / "context"
    for name, text in case.files.items():
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text(text)
    build = {"context": str(context), "dockerfile": case.dockerfile, "args": case.arguments}
    (directory / "compose.yaml").write_text(json.dumps({"name": "bench", "services": {"it": {"build": build}}}))


def run(chosen: Iterable[Case], given: argparse.Namespace) -> bool:
    """Run cases; return whether every limit held."""
    held = True
    for case in chosen:
        # Each case has an engine of its own: no cache of the case before.
        with PrivateEngine.start(given.disk, environment=os.environ) as engine, tempfile.TemporaryDirectory() as made:
            directory = Path(made)
            environment = {
                **os.environ, "DOCKER_HOST": engine.endpoint, "TONNAGE_STATE_DIR": str(directory / "state"),
                "TONNAGE_CACHE_DIR": str(directory / "cache"),
            }  # fmt: skip
            environment.pop("DOCKER_CONTEXT", None)
            docker = Tools(environment).need_build().program
            for base in given.base:
                with Path(base.partition("=")[2]).open("rb") as file:
                    subprocess.run(
                        [docker, "load", "-q"], stdin=file, env=environment, check=True, stdout=subprocess.DEVNULL
                    )
            write(case, directory)
            context = REPOSITORY / case.directory if case.directory else directory / "context"
            told = forecast(directory, environment, given.engine)
            # The other end of the engine's link is this machine.
            proxy = Counting(str(ipaddress.ip_address(engine.address) - 1))
            proxy.start()
            seen = build(case, context, environment, docker, given.engine, engine.mount, proxy)
            if isinstance(seen, str):
                print(f"{case.name}: the build failed\n{seen}", flush=True)
                held = False
                continue
            held = compare(case.name, told, seen) and held
    return held


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", action="append", required=True, help="NAME=ARCHIVE; may be repeated")
    parser.add_argument("--case", action="append", default=[], help="a case by name; may be repeated")
    parser.add_argument("--torch", action="store_true", help="the cases with torch, and nothing else")
    parser.add_argument("--engine", choices=("buildkit", "classic"), default="buildkit")
    parser.add_argument("--disk", type=parse_bytes, default=None)
    given = parser.parse_args()
    known = cases()
    names = given.case or [name for name, case in known.items() if case.torch == given.torch]
    given.disk = given.disk or parse_bytes("14GB" if any(known[name].torch for name in names) else "4GB")
    return 0 if run([known[name] for name in names], given) else 1


if __name__ == "__main__":
    raise SystemExit(main())
