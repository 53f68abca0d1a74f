"""Wheels that pip fetches while it backtracks, and does not install."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.file_server import Index, serving
from tests.unit.forecast.gather.conftest import forecasting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tonnage.model.forecast.estimate import InstructionForecast

WHEEL = 2_000_003
ENV = "ENV PYTHONDONTWRITEBYTECODE=1\n"


@pytest.fixture(scope="module")
def indexes() -> Iterator[tuple[str, str]]:
    """Two indexes with a package whose three newest versions need what does not fit; one tells metadata apart."""
    with serving() as server:
        made = Index(server), Index(server, path="/apart")
        for index in made:
            for version, needs in (("1.0", "base"), ("2.0", "base>=2"), ("2.1", "base>=2"), ("3.0", "base>=2")):
                files = {"front/data.bin": os.urandom(WHEEL)}
                index.wheel("front", version, requires=(needs,), files=files)
            index.wheel("front", "4.0rc1", requires=("base>=2",))
            index.wheel("base", "1.0")
            index.wheel("base", "2.0")
            index.wheel("pip", "23.0")
            index.wheel("pip", "23.2")
        for page in made[1].projects:
            for entry in made[1].projects[page]:
                entry["core-metadata"] = True
            body = {"meta": {"api-version": "1.1"}, "name": page, "files": made[1].projects[page]}
            kind = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
            server.add(f"/apart/{page}/", json.dumps(body).encode(), ranges=False, headers=kind)
            for entry in made[1].projects[page]:
                server.add(f"{entry['url'].removeprefix(server.address)}.metadata", metadata(entry["filename"]))
        yield made[0].url, made[1].url


def metadata(filename: str) -> bytes:
    name, version, *_ = filename.split("-")
    needs = {"front": "Requires-Dist: base>=2\n" if version != "1.0" else "Requires-Dist: base\n"}.get(name, "")
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}".encode()


def install(index: str, directory: Path, command: str) -> InstructionForecast:
    found = forecasting(index, directory)(f"{ENV}RUN {command}")
    assert not found.failures
    return found.steps[-1]


def test_wheels_that_are_passed_over_are_fetched_and_wait_with_the_rest(
    indexes: tuple[str, str], tmp_path: Path
) -> None:
    step = install(indexes[0], tmp_path, "pip install --no-cache-dir front 'base<2'")
    assert step.image.likely_bytes == pytest.approx(WHEEL, rel=0.05)
    assert step.transient.likely_bytes == pytest.approx(4 * WHEEL, rel=0.05)
    assert step.transient.low_bytes < 2 * WHEEL < 4 * WHEEL < step.transient.high_bytes
    assert step.download.likely_bytes == pytest.approx(4 * WHEEL, rel=0.05)
    assert step.transient.grade.value == step.download.grade.value == "declared"
    assert step.image.grade.value == "exact"
    again = install(indexes[0], tmp_path, "pip install --no-cache-dir front 'base<2'")
    assert again.transient == step.transient


def test_where_metadata_lies_apart_they_are_perhaps_fetched(indexes: tuple[str, str], tmp_path: Path) -> None:
    step = install(indexes[1], tmp_path, "pip install --no-cache-dir front 'base<2'")
    assert step.transient.likely_bytes == pytest.approx(WHEEL, rel=0.05)
    assert step.transient.high_bytes > 4 * WHEEL


@pytest.mark.parametrize(
    ("base", "before", "fetched"),
    [
        ("python:3.12-slim", "", 1),
        ("python:3.11", "", 1),
        ("docker.io/library/python:3.11.4-alpine", "", 4),
        ("python:3.10-bookworm", "", 4),
        ("python:3.10", "RUN pip install --no-cache-dir pip==23.2\n", 1),
        ("python:3.10", "RUN pip install --no-cache-dir -U pip\n", 1),
        ("python:3.12", "RUN pip install --no-cache-dir pip==23.0\n", 4),
        ("python:3.12", "RUN python -m venv /venv\nENV PATH=/venv/bin:$PATH\n", 1),
    ],
)
def test_which_pip_there_is_decides_whether_they_are_fetched(
    indexes: tuple[str, str], tmp_path: Path, base: str, before: str, fetched: int
) -> None:
    lines = f"FROM {base}\n{ENV}{before}RUN pip install --no-cache-dir front 'base<2'"
    [*_, step] = forecasting(indexes[1], tmp_path)(lines).steps
    assert step.download.likely_bytes == pytest.approx(fetched * WHEEL, rel=0.05)
    assert (step.download.high_bytes < 1.1 * WHEEL) == (fetched == 1)


@pytest.mark.parametrize(
    "command",
    [
        "pip install --no-cache-dir front==1.0 'base<2'",
        "pip install --no-cache-dir 'front<2' 'base<2'",
        "pip install --no-cache-dir --no-deps front==1.0 'base<2'",
        "uv pip install --system --no-cache front 'base<2'",
    ],
)
def test_nothing_more_is_fetched_where_nothing_is_passed_over(
    indexes: tuple[str, str], tmp_path: Path, command: str
) -> None:
    step = install(indexes[0], tmp_path, command)
    # What uv asks for besides each wheel is not counted.
    assert step.download.high_bytes < 1.25 * WHEEL


def test_what_is_passed_over_may_stay_in_the_cache(indexes: tuple[str, str], tmp_path: Path) -> None:
    step = install(indexes[0], tmp_path, "pip install --trusted-host 127.0.0.1 front 'base<2'")
    assert step.image.likely_bytes == pytest.approx(5 * WHEEL, rel=0.05)
