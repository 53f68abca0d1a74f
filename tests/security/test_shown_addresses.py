"""A forecast shows no password: of an address in a Dockerfile, of a build argument, of the user's own index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.simulated_ports import make_world
from tests.unit.cli.test_forecast import LocalLookups

from tonnage.errors import StepFailedError

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cr3t-PW"
URL = f"http://me:{SECRET}@127.0.0.1:9"


@pytest.mark.parametrize(
    "arguments", [("forecast",), ("forecast", "--json"), ("forecast", "--explain", "web"), ("plan",)]
)
def test_no_password_of_an_address_is_in_a_forecast(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    directory = tmp_path / "project"
    directory.mkdir()
    compose = (
        f'name: shop\nservices:\n  web:\n    build:\n      context: ./web\n      args: {{INDEX: "{URL}/simple"}}\n'
    )
    world = make_world(directory, compose=compose)
    (directory / "web").mkdir(exist_ok=True)
    (directory / "web" / "Dockerfile").write_text(
        "FROM python:3.11-slim\nARG INDEX\n"
        f"ENV SOURCE={URL}/source\n"
        "RUN pip install --index-url $INDEX one\n"
        f"RUN pip install --extra-index-url {URL}:PW/x two\n"
        f"RUN curl -fsSL {URL}/a.tar.gz?token={SECRET} -o /a\n"
        "RUN some-program $INDEX\n"
        f"ADD {URL}/b.bin /b\n"
    )
    world.ports.looks_up = lambda _facts, offline: LocalLookups(
        {"HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null"}, tmp_path / "cache", offline=offline
    )
    world.run(*arguments)
    printed = capsys.readouterr()
    assert "127.0.0.1:9" in printed.out + printed.err or arguments == ("plan",)
    assert SECRET not in printed.out + printed.err
    assert not [
        path for path in (tmp_path / "cache").rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]


def test_no_failure_tells_a_password() -> None:
    error = StepFailedError(f"no {URL}", why=f"{URL}/a said no", todo=f"try {URL}", log=f"GET {URL}/b")
    assert SECRET not in f"{error}{error.what}{error.why}{error.todo}{error.log}{error.args}"


@pytest.mark.parametrize("output", ["text", "json", "sarif", "github"])
def test_lint_shows_no_password_of_an_address(tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str) -> None:
    world = make_world(tmp_path, compose="name: shop\nservices:\n  web:\n    build: ./web\n")
    (tmp_path / "web").mkdir(exist_ok=True)
    (tmp_path / "web" / "requirements.txt").write_text(f"torch==2.3.1 --index-url {URL}/whl\n")
    (tmp_path / "web" / "Dockerfile").write_text(
        "FROM python:3.11\nCOPY requirements.txt .\n"
        f"RUN curl {URL}/a -o /y && pip install -r requirements.txt\nRUN rm /y\n"
    )
    assert world.run("lint", "--no-prices", "--output", output) == 0
    assert world.run("lint", "--no-prices", "--fix", "--dry-run", "--output", output) == 0
    printed = capsys.readouterr()
    assert "index-on-requirement" in printed.out
    assert SECRET not in printed.out + printed.err
