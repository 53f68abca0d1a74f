"""What programs leave that install nothing: bytecode of pip where there was none, settings, notes of what is there.

Source: official images of Python have no bytecode; Python writes that of each module that it imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.forecast.gather.test_node_installs import forecast, last

from tonnage.model.forecast.estimate import Grade

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = "python:3.11-slim"


@pytest.mark.parametrize(
    "line",
    ["pip list", "pip --version", "python -m pip check", "pip cache purge", "pip uninstall -y six", "pip config list"],
)
def test_pip_writes_its_bytecode_whatever_it_does(tmp_path: Path, line: str) -> None:
    told = last(tmp_path, f"RUN {line}", base=PYTHON).image

    assert (told.low_bytes, told.grade) == (0, Grade.DECLARED)
    assert 5_000_000 < told.high_bytes < 30_000_000


@pytest.mark.parametrize(
    "lines", [("ENV PYTHONDONTWRITEBYTECODE=1", "RUN pip list"), ("USER app", "RUN pip list"), ("RUN uv --version",)]
)
def test_nothing_is_written_where_python_may_not(tmp_path: Path, lines: tuple[str, ...]) -> None:
    assert last(tmp_path, *lines, base=PYTHON).image.high_bytes == 0


def test_an_install_after_that_writes_the_rest(tmp_path: Path) -> None:
    text = f"FROM {PYTHON}\nRUN pip list\nRUN pip install $(cat list)\nRUN pip list\n"
    *_, listed, installed, again = forecast(tmp_path, text).steps

    for step, wanted in ((listed, True), (installed, True), (again, False)):
        assert any("bytecode of pip" in each.name for each in step.contributors) is wanted


@pytest.mark.parametrize(
    "line",
    [
        "git init /r", "git config --global user.name x", "poetry config virtualenvs.create false",
        "pip config set global.index-url https://example.org/", "npm cache verify", "dpkg --add-architecture i386",
        "dpkg --configure -a", "bundle cache", "apk cache download",
    ],
)  # fmt: skip
def test_what_writes_little_is_never_a_counted_nothing(tmp_path: Path, line: str) -> None:
    told = last(tmp_path, f"RUN {line}").image

    assert told.grade is not Grade.EXACT
    assert told.high_bytes > 0


def test_verifying_a_cache_of_npm_removes_nothing_of_it(tmp_path: Path) -> None:
    kept = last(tmp_path, "RUN npm install -g typescript")
    verified = last(tmp_path, "RUN npm install -g typescript && npm cache verify")

    assert verified.image.high_bytes >= kept.image.high_bytes
