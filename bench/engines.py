#!/usr/bin/env python3
"""Forecast vs. measured for the same small services on every engine and store of images, in one run.

    bench/engines.py --base python:3.11-slim=$(script/base-image)
    bench/engines.py --base ... --engine sid-containerd --service copy-text --service pip-pure
    bench/engines.py --base ... --markdown                             # the table of docs/engines.md

The services here are made of what layers are made of: text, libraries, noise, zeros, wheels, packages, stages. They
are forecast and built as those of ``bench/forecast_corpus.py`` are, with limits for declared figures as well. It ends
with 1 where a limit does not hold.
"""

from __future__ import annotations

import itertools
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from forecast_corpus import ENGINES, Case, parser, run

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = {
    "exact": {"image": 0.02, "disk": 0.03, "peak": 0.05},
    "declared": {"image": 0.05, "disk": 0.08, "peak": 0.10},
}
_LEAST_LIBRARY_BYTES, _LIBRARIES_BYTES = 100_000, 40_000_000


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


def main() -> int:
    """Measure."""
    known = {case.name: case for case in CASES}
    given = parser(known, ENGINES, __doc__).parse_args()
    given.engine, given.probe = given.engine or ENGINES, True
    return 0 if run([known[name] for name in given.service or known], given, LIMITS) else 1


if __name__ == "__main__":
    raise SystemExit(main())
