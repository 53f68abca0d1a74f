"""Wheels that an install takes as files: of the context, and those that the build fetched or built before."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.file_server import wheel_bytes
from tests.unit.forecast.gather.conftest import BESIDE, DRIVER, LARGE, OLD

from tonnage.model.forecast.estimate import Grade

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.forecast.gather.conftest import Forecast

OWN, OTHER = 3_000_017, 5_000_011
PROJECT = """
[project]
name = "thing"
version = "1"
dependencies = ["reader==1.0"]
optional-dependencies = { more = ["beside"] }
[dependency-groups]
dev = ["torch==2.3.1"]
"""


@pytest.fixture
def wheels(tmp_path: Path) -> None:
    """Put two wheels into the context, one of which needs a package of the index, and one for another machine."""
    (tmp_path / "wheels").mkdir()
    for name, size, needs in (("own", OWN, ("reader==1.0",)), ("reader", OTHER, ())):
        content = wheel_bytes(name, "1.0", requires=needs, files={f"{name}/data.bin": os.urandom(size)})
        (tmp_path / f"wheels/{name}-1.0-py3-none-any.whl").write_bytes(content)
    (tmp_path / "wheels/own-2.0-cp311-cp311-win_amd64.whl").write_bytes(wheel_bytes("own", "2.0"))


@pytest.mark.usefixtures("wheels")
@pytest.mark.parametrize(
    ("lines", "brings"),
    [
        ("COPY wheels/ /w/\nRUN pip install --no-cache-dir /w/*any.whl", OWN + OTHER),
        ("COPY wheels/*any.whl /w/\nRUN pip install --no-cache-dir /w/*", OWN + OTHER),
        ("COPY wheels/own-1.0-py3-none-any.whl /w/\nRUN pip install --no-cache-dir /w/*.whl", OWN + OLD),
        ("WORKDIR /app\nCOPY . .\nRUN pip install --no-cache-dir wheels/own-1.0-py3-none-any.whl", OWN + OLD),
        ("RUN --mount=type=bind,source=wheels,target=/w pip install --no-cache-dir --no-deps /w/own-1*", OWN),
        ("COPY wheels /w\nRUN pip install --no-cache-dir --no-index --find-links=/w own", OWN + OTHER),
        ("COPY wheels /w\nWORKDIR /w\nRUN pip install --no-cache-dir -f . own==1.0", OWN + OTHER),
        (
            "FROM scratch AS a\nCOPY wheels /w\nFROM scratch\n"  # noqa: ISC004 - one Dockerfile
            "COPY --from=a /w /x\nRUN uv pip install --no-cache /x/reader*",
            OTHER,
        ),
    ],
)
def test_a_wheel_of_the_context_is_counted_by_what_lies_in_it(forecast: Forecast, lines: str, brings: int) -> None:
    found = forecast(lines)
    step = found.steps[-1]
    assert not found.failures
    assert step.image.likely_bytes == pytest.approx(brings, rel=0.02)
    assert step.download.likely_bytes < OLD * 1.01


@pytest.mark.usefixtures("wheels")
def test_what_no_directory_of_the_context_has_cannot_be_built(forecast: Forecast) -> None:
    assert forecast("COPY wheels /w\nRUN pip install --no-index -f /w torch").broken


@pytest.mark.usefixtures("wheels")
@pytest.mark.parametrize(
    "lines",
    [
        "RUN make wheels && pip install --no-index -f /w own",
        "COPY wheels /w\nRUN make wheels && pip install --no-index -f /w torch",
        "RUN --mount=from=example.org/x,target=/w pip install --no-index -f /w own",
        "COPY wheels /w\nRUN pip install /w/none*.whl",
        "RUN make wheels && pip install --find-links /w reader",
    ],
)
def test_a_directory_of_which_only_the_build_knows_is_a_bound_and_no_failure(forecast: Forecast, lines: str) -> None:
    found = forecast(lines)
    assert not found.broken
    assert found.steps[-1].image.grade is Grade.UNKNOWN
    assert found.steps[-1].image.high_bytes >= 500_000_000


@pytest.mark.parametrize(
    ("make", "take"),
    [
        ("wheel -w /w", "--no-index --find-links=/w beside"),
        ("download -d /w", "--find-links /w beside"),
        ("wheel --wheel-dir=/w", "/w/*.whl"),
        ("download -d /w", "/w/beside-*.whl /w/*"),
    ],
)
def test_what_was_made_before_is_installed_in_the_same_versions(forecast: Forecast, make: str, take: str) -> None:
    made = f"RUN pip {make} --no-cache-dir beside reader==1.0\nFROM scratch\nENV PYTHONDONTWRITEBYTECODE=1"
    found = forecast(f"{made}\nCOPY --from=0 /w /w\nRUN pip install --no-cache-dir {take}")
    assert not found.failures
    assert found.steps[-1].image.likely_bytes == pytest.approx(BESIDE + OLD + LARGE + DRIVER, rel=0.02)
    assert found.steps[-1].download.high_bytes == 0


def test_a_project_that_is_made_into_a_wheel_brings_what_it_needs(forecast: Forecast, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    made = "WORKDIR /app\nCOPY pyproject.toml .\nRUN pip wheel --no-cache-dir -w /w .\nFROM scratch"
    found = forecast(f"{made}\nENV PYTHONDONTWRITEBYTECODE=1\nCOPY --from=0 /w /w\nRUN pip install /w/*.whl")
    assert found.steps[-1].image.likely_bytes == pytest.approx(OLD, rel=0.05)
    assert any(each.name.startswith("the project") for each in found.steps[-1].contributors)


@pytest.mark.parametrize(
    ("build", "copy", "take"),
    [
        ("python -m build --wheel", "/app/dist/*.whl /w/", "/w/*.whl"),
        ("pip wheel --no-deps -w /out .", "/out /w", "/w/thing-1-py3-none-any.whl"),
        ("uv build --wheel -o /out", "/out/*.whl /", "/*.whl"),
        ("poetry build -f wheel", "/app/dist/ /w/", "/w/*.whl"),
        ("hatch build -t wheel", "/app/dist/*.whl /w/", "--find-links=/w thing"),
        ("flit build", "/app/dist /w", "/w/thing*.whl"),
        ("pdm build -d /out --no-sdist", "/out/ /w", "--find-links /w thing"),
        ("python setup.py bdist_wheel -d /out", "/out /w", "/w/*.whl"),
    ],
)
def test_a_project_that_was_built_brings_what_it_needs_where_it_is_installed(
    forecast: Forecast, tmp_path: Path, build: str, copy: str, take: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    made = f"WORKDIR /app\nCOPY pyproject.toml .\nRUN {build}\nFROM scratch\nENV PYTHONDONTWRITEBYTECODE=1"
    found = forecast(f"{made}\nCOPY --from=0 {copy}\nRUN pip install --no-cache-dir {take}")
    assert not found.failures
    assert found.steps[-1].image.likely_bytes == pytest.approx(OLD, rel=0.05)
    assert found.steps[-1].image.grade is not Grade.UNKNOWN


@pytest.mark.usefixtures("wheels")
@pytest.mark.parametrize(
    ("lines", "brings"),
    [
        ("COPY thing /reader\nRUN pip install --no-cache-dir /read*", OLD),
        ("WORKDIR /src\nCOPY thing libs/thing\nRUN pip install --no-cache-dir ./libs/*", OLD),
        ("COPY wheels/own-1.0-py3-none-any.whl /\nRUN pip install --no-cache-dir --no-deps /own*", OWN),
    ],
)
def test_a_pattern_means_projects_and_wheels_alike(forecast: Forecast, tmp_path: Path, lines: str, brings: int) -> None:
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing/pyproject.toml").write_text(PROJECT)
    found = forecast(lines)
    assert not found.failures
    assert found.steps[-1].image.likely_bytes == pytest.approx(brings, rel=0.05)


@pytest.mark.parametrize(
    ("command", "brings"),
    [
        ("pip install --no-cache-dir .", OLD),
        ("pip install --no-cache-dir .[more]", OLD + BESIDE + LARGE + DRIVER),
        ("pip install --no-cache-dir --group /app/pyproject.toml:dev", LARGE + DRIVER),
        ("uv pip install --system --no-cache -r pyproject.toml --extra more", OLD + BESIDE + LARGE + DRIVER),
    ],
)
def test_of_a_project_comes_what_is_asked_for_and_no_group_besides(
    forecast: Forecast, tmp_path: Path, command: str, brings: int
) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    found = forecast(f"WORKDIR /app\nCOPY pyproject.toml .\nRUN {command}")
    assert not found.failures
    assert found.steps[-1].image.likely_bytes == pytest.approx(brings, rel=0.05)
