"""A stranger's requirements run nothing, send nothing of this machine's environment, and are no settings of uv."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from tests.unit.adapters.file_server import Index, serving
from tests.unit.cli.simulated_ports import make_world
from tests.unit.cli.test_forecast import LocalLookups
from uv import find_uv_bin

from tonnage.errors import UsageError
from tonnage.forecast.python.pylock import markers_of
from tonnage.forecast.python.resolver_lines import holding, rendered, sorted_out
from tonnage.forecast.requirements.files import read_requirements
from tonnage.forecast.requirements.lines import refused_character
from tonnage.model.forecast.python_lock import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Forecast = Callable[..., tuple[int, str]]

BREAKS = ("\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\x00")
SECRET = "s3cr3t-of-this-machine"


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file that a source archive of the index writes when it is run."""
    return tmp_path / "marker"


def archive(name: str, marker: Path) -> bytes:
    """Return a source archive whose build backend and ``setup.py`` write a file."""
    code = f"import pathlib; pathlib.Path({str(marker)!r}).write_text('run')\n"
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "evil"\nbackend-path = ["."]\n',
        "evil.py": code,
        "setup.py": code,
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, text in files.items():
            told = tarfile.TarInfo(f"{name}-1.0/{path}")
            told.size = len(text.encode())
            tar.addfile(told, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.fixture
def index(marker: Path) -> Iterator[Index]:
    with serving() as server:
        offered = Index(server)
        offered.wheel("harmless", "1.0")
        offered.add("evilbk-1.0.tar.gz", archive("evilbk", marker))
        offered.wheel("depends", "1.0", requires=("evilbk",))
        yield offered


@pytest.fixture
def forecast(tmp_path: Path, index: Index, capsys: pytest.CaptureFixture[str]) -> Forecast:
    """Forecast a stack of one service; return the exit code, and everything that was printed."""
    directory = tmp_path / "project"
    directory.mkdir()
    world = make_world(directory, compose="name: shop\nservices:\n  web:\n    build: ./web\n")
    (directory / "web").mkdir(exist_ok=True)

    def run(install: str, *, environment: Mapping[str, str] | None = None, **files: str) -> tuple[int, str]:
        (directory / "web" / "Dockerfile").write_text(f"FROM python:3.11-slim\nCOPY . /\nRUN {install}\n")
        for name, text in files.items():
            (directory / "web" / f"{name}.txt").write_bytes(text.encode())
        around = {
            "PATH": os.environ["PATH"], "HOME": str(tmp_path), "PIP_INDEX_URL": index.url,
            "PIP_CONFIG_FILE": "/dev/null", "MY_SECRET": SECRET, **(environment or {}),
        }  # fmt: skip
        world.ports.looks_up = lambda _facts, offline: LocalLookups(around, tmp_path / "cache", offline=offline)
        exit_code = world.run("forecast", "--json")
        printed = capsys.readouterr()
        return exit_code, printed.out + printed.err

    return run


def test_the_archive_of_these_tests_is_run_where_nothing_keeps_it_from_that(
    index: Index, marker: Path, tmp_path: Path
) -> None:
    command = [find_uv_bin(), "pip", "compile", "-", "--default-index", index.url, "--python", sys.executable]
    environment = {"HOME": str(tmp_path), "UV_CACHE_DIR": str(tmp_path / "cache")}
    with contextlib.suppress(subprocess.CalledProcessError):
        subprocess.run(command, input=b"evilbk\n", env=environment, cwd=tmp_path, check=True, capture_output=True)
    assert marker.exists()


@pytest.mark.parametrize("line", ["evilbk", "depends", "evilbk @ URL", "depends\n-c limits.txt"])
def test_a_source_archive_is_never_run(forecast: Forecast, index: Index, marker: Path, line: str) -> None:
    url = f"{index.server.address}/files/simple/evilbk-1.0.tar.gz"
    forecast("pip install -r wanted.txt", wanted=line.replace("URL", url), limits=f"evilbk @ {url}\n")
    assert not marker.exists()


@pytest.mark.parametrize("broken", BREAKS)
@pytest.mark.parametrize("line", ["harmless==1.0{}--no-binary evilbk{}evilbk", "harmless{}-r /etc/passwd"])
def test_a_line_break_inside_a_requirement_is_refused_with_its_place(
    forecast: Forecast, index: Index, marker: Path, broken: str, line: str
) -> None:
    word = line.replace("{}", broken)
    if broken != "\x00":
        exit_code, printed = forecast(json.dumps(["pip", "install", f"{word} --hash=sha256:00"]))
        assert exit_code == 2
        assert "Dockerfile:3" in printed
    if broken != "\n":
        exit_code, printed = forecast("pip install -r wanted.txt", wanted=f"harmless\n{word}\n")
        assert exit_code == 2
        assert f"wanted.txt:2: a line has the character U+{ord(broken):04X}" in printed
    assert not marker.exists()
    assert not [path for path, _ in index.server.asked if "evilbk" in path]


@pytest.mark.parametrize("line", ["--no-binary=evilbk", "--no-binary evilbk", "--config-settings=a=b"])
def test_options_behind_a_requirement_reach_no_resolver(forecast: Forecast, marker: Path, line: str) -> None:
    forecast(json.dumps(["pip", "install", f"harmless {line}", "evilbk"]))
    forecast("pip install -r wanted.txt", wanted=f"harmless {line}\nevilbk\n")
    assert not marker.exists()


def test_settings_of_uv_that_lie_about_are_not_obeyed(
    forecast: Forecast, index: Index, marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f'[pip]\nno-binary = ["evilbk"]\noutput-file = "{tmp_path}/written"\n'
    places = [tmp_path, tmp_path / "cache", tmp_path / "project", tmp_path / "project" / "web", tmp_path / ".config/uv"]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        (place / "uv.toml").write_text(text)
    monkeypatch.chdir(tmp_path / "project")
    environment = {
        "UV_CONFIG_FILE": str(tmp_path / "uv.toml"), "UV_NO_BINARY": "1", "UV_NO_BINARY_PACKAGE": "evilbk",
        "UV_BUILD_CONSTRAINT": str(tmp_path / "uv.toml"), "UV_WORKING_DIR": str(tmp_path), "UV_PROJECT": str(tmp_path),
    }  # fmt: skip
    exit_code, printed = forecast("pip install harmless depends", environment=environment)
    assert exit_code == 0, printed
    assert not marker.exists()
    assert not (tmp_path / "written").exists()
    assert "/simple/harmless/" in {path for path, _ in index.server.asked}


def test_a_dotenv_file_of_the_project_names_no_index(forecast: Forecast, index: Index, tmp_path: Path) -> None:
    elsewhere = Index(index.server, path="/elsewhere")
    elsewhere.wheel("harmless", "9.0")
    (tmp_path / "project" / ".env").write_text(
        f"UV_DEFAULT_INDEX={elsewhere.url}\nUV_INDEX_URL={elsewhere.url}\nUV_CONFIG_FILE=./uv.toml\n"
        f"PIP_INDEX_URL={elsewhere.url}\n"
    )
    forecast("pip install harmless")
    assert not [path for path, _ in index.server.asked if path.startswith("/elsewhere")]


@pytest.mark.parametrize("name", ["MY_SECRET", "HOME", "PATH", "UV_DEFAULT_INDEX", "TMPDIR"])
@pytest.mark.parametrize("file", ["wanted", "limits"])
def test_a_variable_of_this_machine_is_put_into_no_address(
    forecast: Forecast, index: Index, tmp_path: Path, name: str, file: str
) -> None:
    url = f"{index.server.address}/${{{name}}}/harmless-1.0-py3-none-any.whl"
    files = {"wanted": "harmless\n", "limits": "", file: f"harmless @ {url}\n"}
    _, printed = forecast("pip install -r wanted.txt -c limits.txt", **files)
    asked = " ".join(path for path, _ in index.server.asked)
    assert "harmless-1.0" in asked
    for secret in (SECRET, str(tmp_path), index.url):
        assert secret not in asked
    assert SECRET not in printed


def test_a_variable_of_the_build_is_put_in(forecast: Forecast, index: Index) -> None:
    forecast("VERSION=1.0 pip install -r wanted.txt", wanted="harmless==${OTHER}\n")
    forecast("pip install -r wanted.txt\nENV UNUSED=1", wanted="harmless==${PYTHON_VERSION}\n")
    assert not [path for path, _ in index.server.asked if "$" in path or "%24" in path]


@pytest.mark.parametrize("line", ["other @ git+URL/other.git", "-e git+URL/other.git#egg=other", "other @ file:///etc"])
def test_nothing_is_cloned_and_no_directory_is_read(forecast: Forecast, index: Index, line: str) -> None:
    text = line.replace("URL", index.server.address)
    exit_code, printed = forecast("pip install -r wanted.txt -c limits.txt", wanted=f"harmless\n{text}\n", limits=text)
    assert exit_code == 0, printed
    assert not [path for path, _ in index.server.asked if "other" in path]


_PIECES = st.sampled_from(
    [*BREAKS, "harmless", "evilbk", "==1.0", "===", " ", "--hash=sha256:00", "--no-binary", "-r", "/etc/passwd", "@",
     "#", "https://own.example.org/a-1.0.whl", "git+https://own.example.org/a", "${HOME}", "[x]", ";", "python_version",
     "<", "'3'", '"', "\\", "file:", "../", "\t", ",", "--index-url", "a.tar.gz"]
)  # fmt: skip
_TEXTS = st.one_of(st.text(max_size=60), st.lists(st.one_of(_PIECES, st.text(max_size=3)), max_size=9).map("".join))


@settings(deadline=None, max_examples=400)
@given(text=_TEXTS)
@example(text="a @ https://own.example.org/${HOME}/a-1.0.whl ; python_version < '9' and 'a #' != '\\'")
@example(text="a===1.0#-r")
def test_any_text_is_refused_or_leads_to_lines_that_are_requirements(text: str) -> None:
    with contextlib.suppress(UsageError):
        named, _ = sorted_out((text,))
        target = Target(python="3.11")
        assert markers_of(target)
        for each in holding(named, target):
            line = rendered(each)
            again = Requirement(line)
            assert line[0].isalnum()
            assert line.isascii()
            assert line.isprintable()
            assert not {"$", "\\", "{"} & set(line)
            assert again.marker is None
            assert (again.name, again.specifier, rendered(again)) == (again.name, each.specifier, line)


@settings(deadline=None, max_examples=200)
@given(text=_TEXTS)
def test_any_requirement_file_is_refused_or_holds_no_line_break_in_a_requirement(text: str) -> None:
    with contextlib.suppress(UsageError):
        found = read_requirements("wanted.txt", {"wanted.txt": text}.get)
        assert not any(refused_character(each.text) for each in (*found.requirements, *found.constraints))
