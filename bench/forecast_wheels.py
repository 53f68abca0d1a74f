"""Forecast vs. measured for installations of wheels, with pip and with uv, on a disk of its own.

    python bench/forecast_wheels.py                  # a web and data set, some GB of disk
    python bench/forecast_wheels.py --set torch      # torch with CUDA: needs 13 GB below the temporary directory
    python bench/forecast_wheels.py --way "pip" --python /usr/bin/python3.12

Each way of installing runs in a fresh virtual environment on a loop-mounted ext4 (Linux, root). Image bytes are the sum
of the files' sizes, disk bytes what ``statvfs`` tells before and after, the peak its highest of 100 looks a second.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.forecast.costs.wheel_installs import installed
from tonnage.forecast.python.index_access import index_access
from tonnage.forecast.python.resolution import resolve
from tonnage.forecast.python.source_archives import SourceArchives
from tonnage.forecast.python.uv import Uv
from tonnage.forecast.python.wheels import read_wheels
from tonnage.model.forecast.installs import CacheKind
from tonnage.model.forecast.python_lock import ResolveRequest, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.forecast.costs.wheel_installs import Installation
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.python_lock import Lock, WheelContents

SETS = {
    "small": ("fastapi", "uvicorn", "numpy"),
    "web": ("fastapi", "uvicorn", "numpy", "pandas", "scikit-learn", "onnxruntime", "transformers"),
    "torch": ("torch==2.3.1",),
}
DISK_BYTES = {"small": 1 << 30, "web": 3 << 30, "torch": 12 << 30}


@dataclass(frozen=True)
class Way:
    """One way of installing: the words of its command and what the forecast is told."""

    name: str
    uv: bool
    words: tuple[str, ...] = ()
    compiles: bool = False
    cache: CacheKind = CacheKind.NONE
    copies: bool = False


WAYS = (
    Way("pip", uv=False, words=("--no-cache-dir",), compiles=True),
    Way("pip --no-compile", uv=False, words=("--no-cache-dir", "--no-compile")),
    Way("pip, cache in the layer", uv=False, compiles=True, cache=CacheKind.IN_LAYER),
    Way("uv", uv=True, words=("--no-cache",)),
    Way("uv, cache in the layer", uv=True, cache=CacheKind.IN_LAYER),
    Way("uv, cache in the layer, copies", uv=True, words=("--link-mode=copy",), cache=CacheKind.IN_LAYER, copies=True),
    Way("uv --compile-bytecode", uv=True, words=("--no-cache", "--compile-bytecode"), compiles=True),
)
TORCH_WAYS = ("pip", "uv")


class Peak(threading.Thread):
    """The most bytes that were in use on a filesystem while this ran."""

    def __init__(self, mount: Path) -> None:
        super().__init__(daemon=True)
        self.highest_bytes = 0
        self._mount = mount
        self._ended = threading.Event()

    def run(self) -> None:
        """Look 100 times a second."""
        while not self._ended.wait(0.01):
            self.highest_bytes = max(self.highest_bytes, used_bytes(self._mount))

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        self.join()


def used_bytes(mount: Path) -> int:
    """Return the bytes in use on a filesystem."""
    told = os.statvfs(mount)
    return (told.f_blocks - told.f_bfree) * told.f_frsize


def files_bytes(top: Path) -> int:
    """Return the sum of the sizes of all files below a directory; a file with two names counts once."""
    sizes = {}
    for directory, _, names in os.walk(top):
        for name in names:
            told = Path(directory, name).lstat()
            sizes[told.st_ino] = told.st_size
    return sum(sizes.values())


@contextlib.contextmanager
def disk(size_bytes: int) -> Iterator[Path]:
    """Give an ext4 of a certain size, and leave nothing of it."""
    with tempfile.TemporaryDirectory(prefix="tonnage-bench-") as place:
        image, mount = Path(place) / "disk", Path(place) / "mount"
        mount.mkdir()
        with image.open("wb") as file:
            file.truncate(size_bytes)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", str(image)], check=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(mount)], check=True)
        try:
            yield mount
        finally:
            subprocess.run(["umount", str(mount)], check=True)


def install(way: Way, mount: Path, pins: Sequence[str], python: str) -> tuple[int, int, int, float]:
    """Install once; return image bytes, disk bytes, the peak above the beginning, and seconds."""
    place, temporary = mount / "venv", mount / "tmp"
    temporary.mkdir()
    subprocess.run([python, "-m", "venv", str(place)], check=True)
    requirements = mount / "requirements.txt"
    requirements.write_text("\n".join(pins))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    environment |= {
        "TMPDIR": str(temporary), "HOME": str(mount), "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_CACHE_DIR": str(mount / "cache"),
        "UV_CACHE_DIR": str(mount / "cache"), "UV_PYTHON_DOWNLOADS": "never",
    }  # fmt: skip
    if "SSL_CERT_FILE" in os.environ:
        environment["PIP_CERT"] = os.environ["SSL_CERT_FILE"]
    program = [str(place / "bin" / "python"), "-m", "pip"] if not way.uv else ["uv", "pip"]
    command = [*program, "install", "--quiet", "--no-deps", "-r", str(requirements), *way.words]
    if way.uv:
        command += ["--python", str(place / "bin" / "python")]
    os.sync()
    used_before, files_before = used_bytes(mount), files_bytes(mount)
    peak = Peak(mount)
    peak.start()
    begun = time.monotonic()
    try:
        subprocess.run(command, check=True, env=environment)
    finally:
        peak.end()
    seconds = time.monotonic() - begun
    os.sync()
    used = used_bytes(mount) - used_before
    return files_bytes(mount) - files_before, used, max(used, peak.highest_bytes - used_before), seconds


def line(what: str, told: Estimate, measured_bytes: int) -> str:
    """Return one comparison."""
    error = told.likely_bytes / measured_bytes - 1 if measured_bytes else 0.0
    inside = told.low_bytes <= measured_bytes <= told.high_bytes
    return (
        f"    {what:9}{told.likely_bytes:>15,}{measured_bytes:>15,}{error:>+9.2%}   "
        f"{told.low_bytes:,} to {told.high_bytes:,}{'' if inside else '   OUTSIDE'}"
    )


def forecast(way: Way, lock: Lock, contents: Sequence[WheelContents]) -> Installation:
    """Return the forecast of one way."""
    return installed(lock, contents, uv=way.uv, compiles=way.compiles, cache=way.cache, copies=way.copies)


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--set", choices=SETS, default="web")
    parser.add_argument("--way", action="append", help="only this way, by its name")
    parser.add_argument("--python", default=sys.executable, help="the interpreter to install for")
    parser.add_argument("--package", action="append", help="install these requirements instead of a set")
    chosen = parser.parse_args()
    told = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = subprocess.run([chosen.python, "-c", told], check=True, capture_output=True, text=True).stdout.strip()
    request = ResolveRequest(requirements=tuple(chosen.package or SETS[chosen.set]))
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kept = DiskCache(place)
        web = stack.enter_context(Web(os.environ))
        uv, archives = Uv(place / "uv", os.environ), SourceArchives(web, kept)
        begun = time.monotonic()
        access = index_access(request, os.environ)
        target = Target(python=version)
        lock = resolve(request, target, uv=uv, archives=archives, web=web, access=access, kept=kept)
        read = read_wheels(lock.wheels, web=web, access=access, kept=kept)
        cold_s = time.monotonic() - begun
        begun = time.monotonic()
        resolve(request, target, uv=uv, archives=archives, web=web, access=access, kept=kept)
        read_wheels(lock.wheels, web=web, access=access, kept=kept)
        print(f"{len(lock.wheels)} wheels for Python {version}")
        warm_s = time.monotonic() - begun
        print(f"cold {cold_s:.2f} s, {read.requests} requests, {read.received_bytes:,} bytes; warm {warm_s:.3f} s")
    pins = [f"{wheel.name}=={wheel.version}" for wheel in lock.wheels]
    ways = chosen.way or (TORCH_WAYS if chosen.set == "torch" else [way.name for way in WAYS])
    for way in (each for each in WAYS if each.name in ways):
        expected = forecast(way, lock, read.contents)
        with disk(DISK_BYTES[chosen.set]) as mount:
            image_bytes, disk_bytes, peak_bytes, seconds = install(way, mount, pins, chosen.python)
        print(f"  {way.name} ({seconds:.0f} s)   forecast, measured, error, low to high")
        print(line("image", expected.image, image_bytes))
        print(line("disk", expected.disk, disk_bytes))
        print(line("peak", expected.disk + expected.transient, peak_bytes), flush=True)


if __name__ == "__main__":
    main()
