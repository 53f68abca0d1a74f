"""Requirement files that the build itself writes, and installs whose words only the build knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.forecast.gather.conftest import DRIVER, LARGE, OLD, SMALL

from tonnage.model.forecast.estimate import Grade

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.adapters.file_server import Index
    from tests.unit.forecast.gather.conftest import Forecast

LISTED = "torch==2.3.1\nreader==1.0\n"
LOCK = """
[[package]]
name = "reader"
version = "1.0"
[[package]]
name = "torch"
version = "2.3.1"
[[package]]
name = "driver"
version = "12.1"
[metadata]
lock-version = "2.0"
"""
PROJECT = """
[tool.poetry.dependencies]
python = "^3.11"
reader = "*"
[tool.poetry.group.heavy.dependencies]
torch = "*"
"""
ASSUMED = 500_000_000


@pytest.mark.parametrize(
    "script",
    [
        "echo reader==1.0 > /r.txt && pip install --no-cache-dir -r /r.txt",
        "printf 'reader==1.0\\n' > /r.txt\nRUN pip install --no-cache-dir -r /r.txt",
        "printf '%s\\n' reader==1.0 | tee /r.txt && pip install --no-cache-dir -r /r.txt",
        "<<EOF\ncat > /r.txt <<X\nreader==1.0\nX\npip install --no-cache-dir -r /r.txt\nEOF",
        "echo reader > /r.txt && echo reader==1.0 > /c.txt && pip install --no-cache-dir -r /r.txt -c /c.txt",
        "grep -v torch /app/list.txt > /r.txt && pip install --no-cache-dir -r /r.txt",
        "sed -i /torch/d /app/list.txt && pip install --no-cache-dir -r /app/list.txt",
        "cp /app/list.txt /r.txt && sed -i /torch/d /r.txt && pip install --no-cache-dir -r /r.txt",
        "pip install --no-cache-dir -r <(grep -v torch /app/list.txt)",
        "cd /app && pip install --no-cache-dir -r <(sed /torch/d list.txt) -c <(echo reader==1.0)",
        "cd /app && sed s/torch.*// list.txt >/s.txt && cat /s.txt >/r.txt && pip install --no-cache-dir -r /r.txt",
        "cat /app/list.txt | grep -v torch | pip install --no-cache-dir -r /dev/stdin",
        "grep -v torch < /app/list.txt | tr -d '\\r' > /r.txt && pip install --no-cache-dir -r /r.txt",
        "grep -v torch /app/list.txt | xargs -n 1 pip install --no-cache-dir",
        "pip install --no-cache-dir $(grep -v torch /app/list.txt)",
        "echo reader 'reader<2' > /r.txt && pip install --no-cache-dir $(sort /r.txt)",
        "pip install --no-cache-dir $(sed -n 's/^reader==/reader<=/p' /app/list.txt)",
        "pip install --no-cache-dir $(sed -n '2p' /app/list.txt)",
        "pip install --no-cache-dir $(tail -n +2 /app/list.txt | head -n 1)",
        "pip install --no-cache-dir $(grep -E '^(reader|writer)' /app/list.txt | tr '\\n' ' ')",
        'pip install --no-cache-dir "$(grep reader /app/list.txt)"',
        "pip install --no-cache-dir `tail -n 1 /app/list.txt`",
        "tail -n +2 /app/list.txt | sort | uniq | tee /r.txt && pip install --no-cache-dir -r /r.txt",
        "cut -d = -f 1 /app/list.txt | grep -v torch > /r.txt && pip install --no-cache-dir -r /r.txt 'reader<2'",
        "echo 'reader==$V' > /t.txt && V=1.0 envsubst < /t.txt > /r.txt && pip install --no-cache-dir -r /r.txt",
        "grep -v torch /app/list.txt | uv pip compile - -o /r.txt && pip install --no-cache-dir -r /r.txt",
        "echo 'reader<2' > /r.in && pip-compile -q /r.in && pip install --no-cache-dir -r /r.txt",
        "echo 'reader<2' > requirements.in && pip-compile && PIP_NO_CACHE_DIR=1 pip-sync",
        "echo reader > /r.in && echo reader==1.0 > /r.txt && pip-compile /r.in && pip install --no-cache-dir -r /r.txt",
    ],
)
def test_a_file_that_the_build_writes_from_what_is_known_is_read(
    forecast: Forecast, tmp_path: Path, script: str
) -> None:
    (tmp_path / "list.txt").write_text(LISTED)
    found = forecast(f"COPY list.txt /app/\nRUN {script}")
    assert not found.failures
    assert sum(step.image.likely_bytes for step in found.steps) == pytest.approx(OLD, rel=0.01)
    assert found.image.grade is not Grade.UNKNOWN


def test_what_pip_fetches_whole_to_look_into_it_is_there_on_the_way(forecast: Forecast) -> None:
    write, install = "RUN echo 'reader<2' > /r.in", "pip install --no-cache-dir -r /r.txt"
    by_pip = forecast(f"{write} && pip-compile -q /r.in && {install}")
    by_uv = forecast(f"{write} && uv pip compile /r.in -o /r.txt && {install}")
    assert by_pip.download.high_bytes == 2 * by_uv.download.high_bytes > 0
    assert by_uv.download.low_bytes == by_pip.download.low_bytes == by_uv.download.high_bytes
    assert by_pip.download.grade is Grade.DECLARED
    assert forecast(f"{write} && pip-compile -q /r.in").transient.likely_bytes >= by_uv.download.high_bytes


@pytest.mark.parametrize(
    "script",
    [
        "curl -fsSLo /r.txt https://example.org/r.txt && pip install --no-cache-dir -r /r.txt",
        "git clone https://example.org/x.git /x && cd /x && pip install --no-cache-dir -r requirements.txt",
        "wget -qO- https://example.org/x.tgz | tar xz -C /x && pip install --no-cache-dir -r /x/requirements.txt",
        "pip install --no-cache-dir -r https://example.org/requirements.txt",
        "pipenv run freeze > /r.txt && pip install --no-cache-dir -r /r.txt",
        "make in && uv pip compile /made.in -o /r.txt && pip install --no-cache-dir -r /r.txt",
        "uv pip compile <(curl -fsSL https://example.org/r.txt) -o /r.txt && pip install --no-cache-dir -r /r.txt",
        "echo '$UNKNOWN' > /t.txt && envsubst < /t.txt > /r.txt && pip install --no-cache-dir -r /r.txt",
        "curl -fsSL https://example.org/r.txt | grep -v torch | pip install --no-cache-dir -r /dev/stdin",
        "make in | xargs pip install --no-cache-dir",
        "make list && pip install --no-cache-dir -r /made.txt",
        "awk '{print $1}' /app/list.txt > /r.txt && pip install --no-cache-dir -r /r.txt",
        "pip install --no-cache-dir -r <(make list)",
        "pip install --no-cache-dir -r <(curl -fsSL https://example.org/r.txt)",
        "pip install --no-cache-dir -r <(cat /app/list.txt | awk 1)",
        "make list | pip install --no-cache-dir -r /dev/stdin",
        "pip install --no-cache-dir -r $(make list)",
        "mv /app/list.txt /r.txt && ./change /r.txt && awk 1 /r.txt > /s.txt && pip install --no-cache-dir -r /s.txt",
    ],
)
def test_a_file_of_which_only_the_build_knows_is_a_bound_and_no_failure(
    forecast: Forecast, tmp_path: Path, script: str
) -> None:
    (tmp_path / "list.txt").write_text(LISTED)
    found = forecast(f"COPY list.txt /app/\nRUN {script}")
    assert not found.broken
    last = found.steps[-1].image
    assert last.high_bytes >= ASSUMED
    assert last.grade is Grade.UNKNOWN


def test_what_is_known_of_an_install_beside_such_a_file_is_counted(forecast: Forecast) -> None:
    found = forecast(
        "RUN curl -o /r.txt https://example.org/r.txt\nRUN pip install --no-cache-dir torch==2.3.1 -r /r.txt"
    )
    assert found.steps[-1].image.low_bytes == pytest.approx(LARGE + DRIVER, rel=0.01)
    assert found.steps[-1].image.high_bytes > ASSUMED + LARGE + DRIVER


def test_a_file_that_nobody_writes_cannot_be_built(forecast: Forecast) -> None:
    assert forecast("RUN pip install -r /requirements.txt").broken
    assert forecast("RUN echo reader > /r.txt && rm /r.txt && pip install -r /r.txt").broken


@pytest.mark.parametrize(
    "script", ["pip install -r /none.txt || pip install reader", "test -f /x && pip install -r /none.txt || true"]
)
def test_a_failure_that_something_else_is_run_for_is_none(forecast: Forecast, script: str) -> None:
    assert not forecast(f"RUN {script}").broken


@pytest.mark.parametrize(
    ("command", "brings"),
    [
        ("poetry install --no-root --only main", OLD),
        ("poetry install --no-root --without heavy", OLD),
        ("poetry install --no-root --only main,heavy", OLD + LARGE + DRIVER),
        ("poetry install --no-root --only heavy", LARGE + DRIVER),
        ("poetry install --no-root --with heavy", OLD + LARGE + DRIVER),
        ("poetry sync --no-root --only=main", OLD),
        ("poetry export -o /r.txt && pip install --no-compile -r /r.txt", OLD),
        ("poetry export --with heavy > /r.txt && pip install --no-compile -r /r.txt", OLD + LARGE + DRIVER),
        ("pip install --no-compile -r <(poetry export --only heavy)", LARGE + DRIVER),
        ("poetry export --only heavy -f requirements.txt | pip install --no-compile -r /dev/stdin", LARGE + DRIVER),
    ],
)
def test_poetry_installs_what_its_words_say(forecast: Forecast, tmp_path: Path, command: str, brings: int) -> None:
    (tmp_path / "poetry.lock").write_text(LOCK)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    found = forecast(f"WORKDIR /app\nCOPY pyproject.toml poetry.lock ./\n{ALONE}\nRUN {command}")
    assert not found.failures
    assert found.steps[-1].image.likely_bytes == pytest.approx(brings, rel=0.02)


@pytest.mark.parametrize("command", ["poetry install --only-root", "poetry sync --only-root --with heavy"])
def test_the_project_alone_brings_no_packages(forecast: Forecast, tmp_path: Path, command: str) -> None:
    (tmp_path / "poetry.lock").write_text(LOCK)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    found = forecast(f"WORKDIR /app\nCOPY . .\n{ALONE}\nRUN {command}")
    assert not found.failures
    assert found.steps[-1].image.likely_bytes < min(OLD, DRIVER)


def test_uv_makes_an_environment_where_there_is_none(forecast: Forecast, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\ndependencies = ["reader==1.0"]\n')
    found = forecast(
        "WORKDIR /app\nCOPY . .\nENV UV_NO_CACHE=1 VIRTUAL_ENV=/app/.venv\nRUN uv sync --no-install-project\n"
        "RUN uv sync --no-install-project\nRUN UV_PROJECT_ENVIRONMENT=/usr/local uv sync --no-install-project"
    )
    made = [any("environment" in each.name for each in step.contributors) for step in found.steps[-3:]]
    assert made == [True, False, False]


def test_uv_finds_what_the_system_has_where_that_is_its_environment(forecast: Forecast, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\ndependencies = ["reader==1.0"]\n')
    found = forecast(
        "WORKDIR /app\nCOPY . .\nENV UV_NO_CACHE=1\nRUN pip install --no-cache-dir reader==1.0\n"
        "RUN UV_PROJECT_ENVIRONMENT=/usr/local uv sync --inexact --no-install-project\n"
        "RUN UV_PROJECT_ENVIRONMENT=/usr uv sync --inexact --no-install-project"
    )
    assert [step.image.high_bytes for step in found.steps[-2:]] == [0, 0]


HATCH = """
[project]
name = "thing"
version = "1"
dependencies = ["reader==1.0"]
optional-dependencies = { more = ["torch==2.3.1"] }
[dependency-groups]
dev = ["torch==2.3.1"]
[tool.hatch.envs.default]
skip-install = true
dependencies = ["reader<2"]
[tool.hatch.envs.heavy]
skip-install = false
features = ["more"]
dependencies = []
[tool.hatch.envs.several]
matrix = [{ python = ["3.11", "3.12"] }]
"""
# Of the environment itself.
ROOM = 31_000_000


@pytest.mark.parametrize(
    ("command", "brings"),
    [
        ("hatch env create", OLD),
        ("hatch -v env create heavy", OLD + LARGE + DRIVER),
        ("HATCH_ENV=heavy hatch env create", OLD + LARGE + DRIVER),
        ("hatch env create && hatch env create heavy && hatch env create default", 2 * OLD + LARGE + DRIVER),
        ("hatch dep show requirements > /r.txt && pip install --no-compile -r /r.txt", OLD),
        ("hatch dep show requirements -f more | pip install --no-compile -r -", OLD + LARGE + DRIVER),
        ("uv pip compile pyproject.toml --extra more | uv pip install --system --no-cache -r -", OLD + LARGE + DRIVER),
        ("python -m piptools compile -o /r.txt pyproject.toml && pip install --no-compile -r /r.txt", OLD),
    ],
)
def test_what_a_project_says_of_its_environments_is_installed(
    forecast: Forecast, tmp_path: Path, command: str, brings: int
) -> None:
    (tmp_path / "pyproject.toml").write_text(HATCH)
    found = forecast(f"WORKDIR /app\nCOPY pyproject.toml .\nENV PIP_NO_CACHE_DIR=1\nRUN {command}")
    assert not found.failures
    last = found.steps[-1].image
    room = ROOM * command.count("env create")
    assert brings * 0.98 <= last.likely_bytes <= brings * 1.02 + room
    assert last.grade is not Grade.UNKNOWN


@pytest.mark.parametrize("command", ["hatch env create several", "hatch env create none", "hatch run heavy:x"])
def test_what_only_hatch_knows_is_a_bound_and_no_failure(forecast: Forecast, tmp_path: Path, command: str) -> None:
    (tmp_path / "pyproject.toml").write_text(HATCH)
    found = forecast(f"WORKDIR /app\nCOPY pyproject.toml .\nRUN {command}")
    assert not found.broken
    assert found.steps[-1].image.high_bytes >= ASSUMED


PDM_LOCK = """
[metadata]
groups = ["default", "dev"]
lock_version = "4.5.0"
[[package]]
name = "reader"
version = "1.0"
groups = ["default"]
[[package]]
name = "torch"
version = "2.3.1"
groups = ["dev"]
[[package]]
name = "driver"
version = "12.1"
groups = ["dev"]
"""


@pytest.mark.parametrize(
    ("command", "brings"),
    [
        ("pdm export --prod -f requirements -o /r.txt && pip install --no-compile -r /r.txt", OLD),
        ("pdm export --without-hashes > /r.txt && pip install --no-compile -r /r.txt", OLD + LARGE + DRIVER),
        ("pdm export --prod | grep -v driver | pip install --no-compile -r /dev/stdin", OLD),
    ],
)
def test_what_pdm_exports_is_read(forecast: Forecast, tmp_path: Path, command: str, brings: int) -> None:
    (tmp_path / "pyproject.toml").write_text(HATCH)
    (tmp_path / "pdm.lock").write_text(PDM_LOCK)
    found = forecast(f"WORKDIR /app\nCOPY pyproject.toml pdm.lock ./\nENV PIP_NO_CACHE_DIR=1\nRUN {command}")
    assert not found.failures
    assert found.steps[-1].image.likely_bytes == pytest.approx(brings, rel=0.02)


def test_what_a_lock_was_written_as_in_another_stage_is_read(forecast: Forecast, tmp_path: Path) -> None:
    (tmp_path / "poetry.lock").write_text(LOCK)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    made = "WORKDIR /app\nCOPY pyproject.toml poetry.lock ./\nRUN poetry export -o requirements.txt\n"
    made += "FROM scratch\nENV PYTHONDONTWRITEBYTECODE=1\n"
    found = forecast(f"{made}COPY --from=0 /app/requirements.txt /r.txt\nRUN pip install --no-cache-dir -r /r.txt")
    assert not found.failures
    assert found.steps[-1].image.likely_bytes == pytest.approx(OLD, rel=0.01)


@pytest.mark.parametrize(
    "command", ["pip install .", "pip install -e .", "pip install ..", "pip install app/", "pip install '.[x]'"]
)
def test_a_directory_that_is_built_by_its_setup_script_is_a_bound_and_no_failure(
    forecast: Forecast, tmp_path: Path, command: str
) -> None:
    (tmp_path / "setup.py").write_text("")
    found = forecast(f"WORKDIR /app\nCOPY setup.py ./\nRUN {command}")
    assert not found.broken
    assert found.steps[-1].image.high_bytes >= ASSUMED


@pytest.mark.parametrize(
    "command",
    [
        "apt-get install -y $(cat packages.txt)",
        "apt-get install -y ./x.deb",
        "dpkg -i /x.deb",
        "apt install -y /debs/*.deb",
    ],
)
def test_packages_of_the_system_that_only_the_build_names_are_a_bound(forecast: Forecast, command: str) -> None:
    last = forecast(f"RUN {command}").steps[-1].image
    assert last.high_bytes >= ASSUMED
    assert last.grade is Grade.UNKNOWN


@pytest.mark.parametrize(
    "command",
    ["npm ci", "pipenv install reader", "git clone https://example.org/x.git", "python -m spacy download en"],
)
def test_what_a_program_fetches_is_not_known_to_be_nothing(forecast: Forecast, command: str) -> None:
    download = forecast(f"RUN {command}").steps[-1].download
    assert download.high_bytes >= ASSUMED
    assert download.grade is Grade.UNKNOWN


PIPFILE = """
[packages]
reader = "==1.0"
[dev-packages]
torch = {version = "==2.3.1", markers = "python_version >= '3.9'"}
"""
# No environment and no cache: the packages alone.
ALONE = "ENV PIP_NO_CACHE_DIR=1 POETRY_VIRTUALENVS_CREATE=0 PIPENV_SYSTEM=1"
PIPFILE_LOCK = """
{"default": {"reader": {"version": "==1.0", "index": "pypi"}},
 "develop": {"torch": {"version": "==2.3.1", "markers": "python_version >= '3.9'"}, "driver": {"version": "==12.1"}}}
"""


@pytest.mark.parametrize("command", ["pipenv install --system --skip-lock", "pipenv sync"])
@pytest.mark.parametrize("sources", [("small",), ("usual", "small"), ("usual", "with-a-variable", "small")])
def test_pipenv_asks_the_indexes_that_its_pipfile_names(
    indexes: tuple[Index, Index], forecast: Forecast, tmp_path: Path, command: str, sources: tuple[str, ...]
) -> None:
    known = {"usual": indexes[0].url, "small": indexes[1].url, "with-a-variable": "https://$USER@example.org/simple"}
    told = "".join(f'[[source]]\nname = "{name}"\nurl = "{known[name]}"\n' for name in sources)
    (tmp_path / "Pipfile").write_text(f'{told}[packages]\ntorch = {{version = "==2.3.1+cpu", index = "small"}}\n')
    if command == "pipenv sync":
        lock = '{"default": {"torch": {"version": "==2.3.1+cpu", "index": "small"}}, "develop": {}}'
        (tmp_path / "Pipfile.lock").write_text(lock)

    found = forecast(f"WORKDIR /app\nCOPY Pipfile* ./\n{ALONE}\nRUN {command}")

    assert not found.failures
    assert found.steps[-1].image.likely_bytes == pytest.approx(SMALL, rel=0.02, abs=100_000)


@pytest.mark.parametrize(
    ("command", "brings"),
    [
        ("pipenv install --system --deploy --ignore-pipfile", OLD),
        ("pipenv sync --dev", OLD + LARGE + DRIVER),
        ("pipenv requirements > /r.txt && pip install --no-compile -r /r.txt", OLD),
        ("pipenv requirements --dev-only | pip install --no-compile -r /dev/stdin", LARGE + DRIVER),
        ("rm Pipfile.lock && pipenv install --system --skip-lock", OLD),
    ],
)
def test_pipenv_installs_what_its_lock_says(forecast: Forecast, tmp_path: Path, command: str, brings: int) -> None:
    (tmp_path / "Pipfile").write_text(PIPFILE)
    (tmp_path / "Pipfile.lock").write_text(PIPFILE_LOCK)
    found = forecast(f"WORKDIR /app\nCOPY Pipfile* ./\n{ALONE}\nRUN {command}")
    assert not found.failures
    cached = found.steps[-1].download.likely_bytes
    assert found.steps[-1].image.likely_bytes == pytest.approx(brings, rel=0.02, abs=2 * cached + 100_000)
