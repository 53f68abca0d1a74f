"""Environments of conda: bounded by the names in their files, and what pip installs beside by its lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.forecast.gather.conftest import DRIVER, LARGE, OLD

from tonnage.forecast.gather.conda_environments import CondaFile, read_environment
from tonnage.model.forecast.estimate import Grade

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.forecast.gather.conftest import Forecast

ASSUMED = 500_000_000
FILE = """
name: "web"   # of the service
channels: [one, two]
dependencies:
  - python=3.11
  - one::numpy[version='>=1.20']
  - pip
  - pip:
    - reader==1.0
    - -r more.txt
  - scipy >=1
variables:
  X: y
"""


def test_a_file_is_read_as_people_write_it() -> None:
    packages = ("python=3.11", "one::numpy[version='>=1.20']", "pip", "scipy >=1")
    assert read_environment(FILE) == CondaFile(packages, ("reader==1.0", "-r more.txt"), "web")
    assert read_environment("dependencies:\n- a\n- pip:\n  - b\n") == CondaFile(("a",), ("b",))


@pytest.mark.parametrize("text", ["", "a: b", "dependencies: [a, b]", "dependencies:\n  a: b", "dependencies:\n"])
def test_another_form_is_none(text: str) -> None:
    assert read_environment(text) is None


@pytest.mark.parametrize(
    "command",
    ["conda env create -f /e.yml", "mamba env update -n base --file /e.yml", "micromamba install -y -n base -f /e.yml"],
)
def test_what_pip_installs_of_an_environment_is_known_beside_a_bound(
    forecast: Forecast, tmp_path: Path, command: str
) -> None:
    (tmp_path / "e.yml").write_text(FILE)
    (tmp_path / "more.txt").write_text("torch==2.3.1\n")
    last = forecast(f"COPY e.yml more.txt /\nENV PIP_NO_CACHE_DIR=1\nRUN {command}").steps[-1]
    assert last.image.low_bytes == pytest.approx(OLD + LARGE + DRIVER, rel=0.02)
    assert last.image.high_bytes >= ASSUMED + OLD + LARGE + DRIVER
    assert last.image.grade is Grade.UNKNOWN


@pytest.mark.parametrize(
    ("packages", "least"),
    [("numpy", ASSUMED), ("pytorch torchvision", 6_500_000_000), ("pytorch cpuonly", 1_500_000_000),
     ("one::cudatoolkit=11.8", 3_000_000_000), ("a b c d e f", 900_000_000)],
)  # fmt: skip
def test_the_bound_is_that_of_the_heaviest_package_and_of_all_others(
    forecast: Forecast, packages: str, least: int
) -> None:
    last = forecast(f"RUN conda install -y -c one {packages}").steps[-1]
    assert least <= last.image.high_bytes <= 1.5 * least + ASSUMED
    assert last.download.high_bytes >= least
