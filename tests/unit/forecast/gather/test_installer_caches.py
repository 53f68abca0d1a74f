"""Caches that installers leave in a layer: where the server of what is fetched allows it, or nobody knows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.file_server import Index, serving, wheel_bytes
from tests.unit.forecast.gather.conftest import forecasting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tonnage.model.forecast.estimate import Estimate, ServiceForecast

WHEEL = wheel_bytes("thing", "1.0", files={"thing/data.bin": os.urandom(3_000_017)})
KEPT = len(WHEEL)
TRUSTED = "--trusted-host 127.0.0.1"
ALLOWED = {"Date": "Sun, 29 Nov 2026 18:50:14 GMT", "Cache-Control": "max-age=365000000, immutable, public"}


@pytest.fixture(scope="module")
def indexes() -> Iterator[tuple[str, str]]:
    """Two indexes: the servers of one let installers keep what they give, those of the other say nothing of it."""
    with serving() as server:
        allows, silent = Index(server), Index(server, path="/silent")
        allows.add("thing-1.0-py3-none-any.whl", WHEEL, headers=ALLOWED)
        silent.add("thing-1.0-py3-none-any.whl", WHEEL)
        yield allows.url, silent.url


def layer(indexes: tuple[str, str], directory: Path, options: str, *, of_machine: int = 1) -> Estimate:
    """Return what an install adds to the image; ALLOWS and SILENT are the indexes."""
    options = options.replace("ALLOWS", f"--index-url {indexes[0]}").replace("SILENT", f"--index-url {indexes[1]}")
    found = forecasting(indexes[of_machine], directory)(
        f"ENV PYTHONDONTWRITEBYTECODE=1\nRUN pip install {options} thing"
    )
    assert not found.failures
    return found.steps[-1].image


def test_pip_keeps_what_the_server_of_its_files_allows(indexes: tuple[str, str], tmp_path: Path) -> None:
    kept = layer(indexes, tmp_path, f"ALLOWS {TRUSTED}")
    assert kept.low_bytes > 1.9 * KEPT
    assert kept.high_bytes < 2.2 * KEPT


@pytest.mark.parametrize(
    "options",
    [f"SILENT {TRUSTED}", f"ALLOWS {TRUSTED} --no-cache-dir", "ALLOWS"],
    ids=["silent", "switched-off", "http"],
)
def test_pip_keeps_nothing_where_it_may_not_or_is_told_not_to(
    indexes: tuple[str, str], tmp_path: Path, options: str
) -> None:
    assert layer(indexes, tmp_path, options).high_bytes < 1.1 * KEPT


@pytest.mark.parametrize(("command", "index", "times"), [("download -d", 0, 2), ("wheel -w", 0, 2), ("wheel -w", 1, 1)])
def test_what_is_only_fetched_is_kept_in_the_cache_as_well(
    indexes: tuple[str, str], tmp_path: Path, command: str, index: int, times: int
) -> None:
    words = f"pip {command} /wheels --index-url {indexes[index]} {TRUSTED} thing"
    step = forecasting(indexes[1], tmp_path)(f"ENV PYTHONDONTWRITEBYTECODE=1\nRUN {words}").steps[-1]
    assert step.image.likely_bytes == pytest.approx(times * KEPT, rel=0.05)
    assert step.transient.likely_bytes == pytest.approx(KEPT, rel=0.05)


def test_a_requirement_file_may_trust_a_host(indexes: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text(f"{TRUSTED}\n--index-url {indexes[0]}\nthing\n")
    found = forecasting(indexes[1], tmp_path)("ENV PYTHONDONTWRITEBYTECODE=1\nCOPY r.txt /\nRUN pip install -r /r.txt")
    assert found.steps[-1].image.low_bytes > 1.9 * KEPT


def test_an_index_of_this_machine_says_nothing_of_what_a_build_fetches(
    indexes: tuple[str, str], tmp_path: Path
) -> None:
    unsure = layer(indexes, tmp_path, TRUSTED)
    assert unsure.low_bytes < 1.1 * KEPT
    assert unsure.likely_bytes > 1.9 * KEPT
    assert unsure.grade.value == "declared"


@pytest.mark.parametrize(("uv", "wide"), [("uv==0.4.20", True), ("uv==0.13.9", False), ("", True)])
def test_what_uv_keeps_of_an_index_goes_by_its_version(tmp_path: Path, uv: str, *, wide: bool) -> None:
    with serving() as server:
        index = Index(server)
        index.add("thing-1.0-py3-none-any.whl", WHEEL)
        for version in ("0.4.20", "0.13.9"):
            index.wheel("uv", version)
        first = f"RUN pip install --no-cache-dir {uv}\n" if uv else ""
        step = forecasting(index.url, tmp_path)(f"{first}RUN uv pip install --system thing").steps[-1]
    assert (step.image.high_bytes > KEPT + 10_000_000) is wide
    assert step.image.grade.value == "declared"


def of_project(indexes: tuple[str, str], directory: Path, run: str, index: int) -> ServiceForecast:
    """Return the forecast of a project that Pipenv or PDM installs; its index is one of the two."""
    source = f'[[source]]\nurl = "{indexes[index]}"\nverify_ssl = false\nname = "it"\n'
    (directory / "Pipfile").write_text(f'{source}[packages]\nthing = "*"\n')
    (directory / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "1"\ndependencies = ["thing"]\n')
    text = f"ENV PYTHONDONTWRITEBYTECODE=1\nWORKDIR /app\nCOPY Pipfile pyproject.toml ./\nRUN {run}"
    found = forecasting(indexes[index], directory)(text)
    assert not found.failures
    return found


@pytest.mark.parametrize(
    ("run", "index", "low", "high"),
    [
        ("pdm sync --no-self", 0, 0.9, 2.2),
        ("pdm sync --no-self", 1, 0.9, 2.2),
        ("pdm sync --no-self --no-cache", 0, 0.9, 1.2),
        ("pipenv install --system --skip-lock", 0, 0.9, 2.2),
        ("PIP_NO_CACHE_DIR=1 pipenv install --system --skip-lock", 0, 0.9, 1.2),
    ],
)
def test_what_pdm_and_pipenv_keep(
    indexes: tuple[str, str], tmp_path: Path, run: str, index: int, low: float, high: float
) -> None:
    step = of_project(indexes, tmp_path, run, index).steps[-1]
    assert low * KEPT < step.image.low_bytes <= step.image.likely_bytes < high * KEPT
    if "no-cache" not in run.lower().replace("_", "-"):
        assert step.image.likely_bytes > 1.9 * KEPT


@pytest.mark.parametrize(
    ("run", "named"),
    [
        ("poetry install --no-root", True),
        ("poetry config virtualenvs.create false && poetry install --no-root", False),
        ("pipenv install --skip-lock", True),
        ("pipenv install --system --skip-lock", False),
        ("virtualenv /opt/it", True),
    ],
)
def test_a_program_that_makes_an_environment_before_it_installs_has_it_counted(
    indexes: tuple[str, str], tmp_path: Path, run: str, *, named: bool
) -> None:
    names = {each.name for each in of_project(indexes, tmp_path, run, 0).steps[-1].contributors}
    assert any(name.startswith("environment ") for name in names) is named
    assert ("virtualenv's cache" in names) is named


@pytest.mark.parametrize(
    ("named", "times"),
    [
        ("git+https://git.example.org/thing.git", 1),
        ("thing@git+https://git.example.org/thing.git@main", 1),
        (f"thing@git+https://git.example.org/thing.git@{'0a' * 20}", 4 / 3),
        ("/srv/thing", 1),
    ],
)
def test_of_checkouts_and_directories_pip_keeps_nothing_but_a_whole_commit(
    indexes: tuple[str, str], tmp_path: Path, named: str, times: float
) -> None:
    found = forecasting(indexes[0], tmp_path)(f"ENV PYTHONDONTWRITEBYTECODE=1\nRUN pip install '{named}'")
    assert found.steps[-1].image.likely_bytes == pytest.approx(times * 500_000_000, rel=0.01)


@pytest.mark.parametrize(("project", "names"), [("", set()), ("COPY pyproject.toml ./\n", {"thing 1.0"})])
def test_uv_run_needs_no_project(indexes: tuple[str, str], tmp_path: Path, project: str, names: set[str]) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "1"\ndependencies = ["thing"]\n')
    found = forecasting(indexes[0], tmp_path)(
        f"WORKDIR /app\n{project}RUN uv run --with thing python -c 'import thing'"
    )
    assert not found.failures
    assert not found.broken
    assert {each.name for each in found.steps[-1].contributors} & {"thing 1.0"} == names


@pytest.mark.parametrize(
    "install", ["poetry install", "uv sync", "pdm install", "pipenv install --system", "uv run it"]
)
@pytest.mark.parametrize("made", ["git clone https://git.example.org/it.git /app", "./make-it"])
def test_a_project_that_the_build_makes_is_bounded(
    indexes: tuple[str, str], tmp_path: Path, made: str, install: str
) -> None:
    found = forecasting(indexes[0], tmp_path)(f"WORKDIR /app\nRUN {made}\nRUN {install}")
    assert not found.broken
    assert found.steps[-1].image.high_bytes >= 500_000_000
    assert found.steps[-1].image.grade.value == "unknown"


def test_pipenv_takes_a_requirement_file_where_it_has_none_of_its_own(indexes: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("thing\n")
    found = forecasting(indexes[0], tmp_path)("WORKDIR /app\nCOPY requirements.txt ./\nRUN pipenv install --system")
    assert not found.broken
    assert found.steps[-1].image.high_bytes >= 500_000_000


def test_a_project_that_nobody_makes_is_a_mistake(indexes: tuple[str, str], tmp_path: Path) -> None:
    assert forecasting(indexes[0], tmp_path)("WORKDIR /app\nRUN poetry install").broken


def test_an_environment_that_is_there_is_made_once(indexes: tuple[str, str], tmp_path: Path) -> None:
    found = of_project(indexes, tmp_path, "pdm sync --no-self\nRUN pdm sync --no-self", 0)
    first, second = ({each.name for each in step.contributors} for step in found.steps[-2:])
    assert "environment /app/.venv" in first
    assert not second
