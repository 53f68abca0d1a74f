#!/usr/bin/env python3
"""Of how many RUN instructions in the shapes of public Dockerfiles a forecast has a figure better than unknown.

    bench/forecast_coverage.py             # offline without bases, and online with the bases known
    bench/forecast_coverage.py --show      # each instruction that stays unknown

The Dockerfiles are those of ``bench/dockerfiles``, each with every project file beside it. Base images are stood in for
by what their names say: no registry is asked. It ends with 1 where a figure of the issue is not reached, where a
forecast fails, or where one says that something cannot be built.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tonnage.adapters.images.image_config import distribution, usual_apt
from tonnage.adapters.images.image_files import usual_sources
from tonnage.forecast.costs.base_layers import python_named
from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
from tonnage.model.forecast.base_image import BaseImage, BaseLayer, ReadFrom
from tonnage.model.forecast.estimate import Grade, exactly
from tonnage.model.forecast.recipe import BaseConfig
from tonnage.model.stack import BuildSpec, Service
from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.model.forecast.estimate import ServiceForecast

HERE = Path(__file__).parent / "dockerfiles"
OFFLINE_PERCENT, ONLINE_PERCENT = 45, 70
PROJECT = """\
[project]
name = "app"
version = "1.0.0"
requires-python = ">=3.9"
dependencies = ["flask==3.0.3", "requests==2.32.3"]

[tool.poetry]
package-mode = false
"""
FILES = {
    "pyproject.toml": PROJECT,
    "requirements.txt": "flask==3.0.3\nrequests==2.32.3\ngunicorn==22.0.0\n",
    "go.mod": "module example.org/app\n\ngo 1.21\n",
    "go.sum": "".join(f"example.org/m{n} v1.{n}.0 h1:x=\nexample.org/m{n} v1.{n}.0/go.mod h1:x=\n" for n in range(42)),
    "Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\n',
    "Cargo.lock": "version = 3\n" + "".join(f'\n[[package]]\nname = "c{n}"\nversion = "1.{n}.0"\n' for n in range(120)),
    "Gemfile": 'source "https://example.org"\ngem "rails"\n',
    "Gemfile.lock": "GEM\n  specs:\n" + "".join(f"    g{n} (1.{n})\n" for n in range(80)),
    "composer.json": "{}",
    "composer.lock": "".join(f'\n            "name": "a/b{n}",' for n in range(30)),
    "environment.yml": "name: app\nchannels: [conda-forge]\ndependencies:\n  - python=3.11\n  - numpy\n  - pandas\n",
    "Pipfile": '[packages]\nflask = "*"\n',
    "Pipfile.lock": '{"_meta": {}, "default": {"flask": {"version": "==3.0.3"}}, "develop": {}}',
    **dict.fromkeys(
        (
            *("README.md", "entrypoint.sh", "backup.sh", "crontab", "nginx.conf", "config", "redis.conf", "app.jar"),
            *("pom.xml", "app.csproj", "mix.exs", "mix.lock", "manage.py", "app.py", "server.js", "src/main.rs",
            "site/index.html"),
        ),
        "x\n",
    ),
    "app/main.py": "x = 1\n",
}  # fmt: skip


class KnownBases(RealLookups):
    """The real outside, but for base images: they are what their names say, and have one layer."""

    def base_image(self, reference: str, platform: str) -> BaseImage:
        """Return what a name says of an image."""
        system = distribution(reference, {}, ())
        python = python_named(reference)
        apt = usual_apt(system)
        return BaseImage(
            reference=reference,
            platform=platform,
            layers=(
                BaseLayer(
                    chain_id=reference, diff_id=reference, image=exactly(90_000_007), disk=exactly(97_000_003),
                    source="bench", compressed_bytes=30_000_001,
                ),
            ),
            config=BaseConfig(environment={"PYTHON_VERSION": f"{python}.1"} if python else {}),
            origin=ReadFrom.REGISTRY,
            python=python,
            distribution=system,
            apt=None if apt is None else replace(apt, sources=usual_sources(system)),
        )  # fmt: skip


def dockerfiles() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each."""
    for path in sorted(HERE.glob("*.toml")):
        for shape in tomllib.loads(path.read_text())["shape"]:
            for number, variant in enumerate(shape["variants"]):
                yield f"{path.stem}/{shape['name']}-{number}", shape["text"].format(*variant).lstrip()


def write_context(directory: Path) -> None:
    """Write the files of a project of every kind; locks that name addresses are made here."""
    for name, text in FILES.items():
        (directory / name).parent.mkdir(exist_ok=True, parents=True)
        (directory / name).write_text(text)
    shutil.copytree(HERE / "context", directory, dirs_exist_ok=True)
    made = subprocess.run(["uv", "lock", "-q"], cwd=directory, check=False)
    if made.returncode == 0:
        (directory / "poetry.lock").write_text(poetry_lock(tomllib.loads((directory / "uv.lock").read_text())))


def poetry_lock(lock: dict[str, Any]) -> str:
    """Return a lock of Poetry that names what one of uv does."""
    parts = []
    for each in lock["package"]:
        if "wheels" not in each:
            continue
        files = ",\n".join(
            f'    {{file = "{wheel["url"].rpartition("/")[2]}", hash = "{wheel["hash"]}"}}' for wheel in each["wheels"]
        )
        parts.append(
            f'[[package]]\nname = "{each["name"]}"\nversion = "{each["version"]}"\ndescription = ""\noptional = false\n'
            f'python-versions = ">=3.8"\ngroups = ["main"]\nfiles = [\n{files}\n]\n'
        )
    end = '[metadata]\nlock-version = "2.1"\npython-versions = ">=3.9"\ncontent-hash = "x"\n'
    return "\n".join((*parts, end))


def forecast_all(
    root: Path, cache: Path, lookups: type[RealLookups], *, offline: bool
) -> tuple[Counter[str], list[str]]:
    """Forecast each, and count its instructions by the grade of what they keep on the disk."""
    counted: Counter[str] = Counter()
    told: list[str] = []
    environment = dict(os.environ)

    def one(entry: tuple[str, str]) -> tuple[str, ServiceForecast]:
        name, text = entry
        path = root / f"{name.replace('/', '-')}.Dockerfile"
        path.write_text(text)
        service = Service(name="web", image="web", build=BuildSpec(context=str(root), dockerfile=str(path)))
        with lookups(environment, cache, offline=offline) as outside:
            return name, forecast_services([service], ForecastContext(), outside)[0]

    with ThreadPoolExecutor(4) as pool:
        for name, found in pool.map(one, dockerfiles()):
            counted["Dockerfiles"] += 1
            if found.broken or not found.found_out:
                counted["cannot be built"] += 1
                told.append(f"{name}: {'; '.join(found.failures)}")
            for step in found.steps:
                if step.text.startswith("RUN"):
                    counted["RUN"] += 1
                    counted[step.disk.grade.value] += 1
                    if step.disk.grade is Grade.UNKNOWN:
                        told.append(f"{name}:{step.line} {step.text[:100]}")
    return counted, told


def main() -> int:
    """Forecast all of them both ways, and print what was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="print what stays unknown")
    parser.add_argument("--only", choices=("offline", "online"))
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as held:
        root = Path(held) / "project"
        root.mkdir()
        write_context(root)
        ways = {"offline": (RealLookups, OFFLINE_PERCENT), "online": (KnownBases, ONLINE_PERCENT)}
        for way, (lookups, least) in ways.items():
            if options.only not in {None, way}:
                continue
            counted, told = forecast_all(root, Path(held) / f"cache-{way}", lookups, offline=way == "offline")
            known = counted["RUN"] - counted[Grade.UNKNOWN.value]
            percent = 100 * known / counted["RUN"]
            failed |= percent < least or bool(counted["cannot be built"])
            print(f"{way}: {known} of {counted['RUN']} RUN in {counted['Dockerfiles']} Dockerfiles have a figure: "
                  f"{percent:.0f} %, wanted {least} %; {counted['cannot be built']} cannot be built")  # fmt: skip
            print("  " + ", ".join(f"{grade.value} {counted[grade.value]}" for grade in Grade))
            if options.show:
                print("\n".join(f"  {line}" for line in told))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
