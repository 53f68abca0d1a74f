"""What is typed for generated workflows: about the runner, about the stack, and how it is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML
from tests.ci.stacks import STACKS
from tests.ci.writing import runs, workflow_files, written
from tests.unit.cli.simulated_ports import make_world

if TYPE_CHECKING:
    from pathlib import Path

Captured = pytest.CaptureFixture[str]


def test_what_was_typed_about_the_runner_holds_until_something_else_is_typed(tmp_path: Path) -> None:
    world = written(tmp_path, "one-service")
    typed = (
        "--runner",
        "self-hosted, linux",
        "--runner-disk",
        "30GB",
        "--branch",
        "it's $x",
        "--install",
        "pip x 'y z'",
    )

    assert world.run("ci", "github", "--write", *typed) == 0
    path = workflow_files(tmp_path)[0]
    before = path.read_text()
    assert world.run("ci", "github", "--check") == 0
    assert world.run("ci", "github", "--write") == 0
    assert path.read_text() == before
    content: Any = YAML(typ="safe").load(before)
    assert content["on"]["push"]["branches"] == ["it's $x"]
    assert content["jobs"]["build"]["runs-on"] == ["self-hosted", "linux"]
    assert dict(runs(path))["Install Tonnage"] == "pip x 'y z'\n"
    sequence: Any = YAML(typ="safe").load(workflow_files(tmp_path)[1].read_text())["jobs"]["sequential"]
    assert sequence["strategy"]["matrix"]["runner"] == [["self-hosted", "linux"]]
    assert world.run("ci", "github", "--write", "--runner", "big") == 0
    assert 'runs-on: "big"' in path.read_text()
    assert "--runner-disk 30GB" in path.read_text()


@pytest.mark.parametrize(
    "typed",
    [
        ("--runner", ""), ("--runner", "[a, b]"), ("--runner", "a,,b"), ("--branch", " "), ("--install", ""),
        ("--install", "one\ntwo"), ("--runner-disk", "14"),
    ],
)  # fmt: skip
def test_what_cannot_stand_in_a_workflow_is_refused(tmp_path: Path, typed: tuple[str, ...], capsys: Captured) -> None:
    world = make_world(tmp_path, compose=STACKS["one-service"])
    (tmp_path / "Dockerfile").write_text("FROM busybox:latest\n")

    assert world.run("ci", "github", "--write", *typed) == 2
    assert typed[0] in capsys.readouterr().err
    assert not (tmp_path / ".github").exists()


def test_files_are_named_as_they_are_found_on_a_runner(tmp_path: Path, capsys: Captured) -> None:
    world = make_world(tmp_path, compose=STACKS["one-service"])
    for directory in (tmp_path, tmp_path / "below"):
        directory.mkdir(exist_ok=True)
        (directory / "Dockerfile").write_text("FROM busybox:latest\n")
        (directory / "a stack.yml").write_text(STACKS["profiles"])
    (tmp_path / ".git").mkdir()
    for typed in (("-f", "below/a stack.yml"), ("-f", str(tmp_path / "below" / "a stack.yml"))):
        assert world.run("ci", "github", *typed, "--profile", "debug") == 0
        told = capsys.readouterr().out
        assert '        working-directory: "below"\n' in told
        assert "tonnage deploy --file 'a stack.yml' --profile debug \"$SERVICE\"" in told
        assert str(tmp_path) not in told


def test_a_file_that_no_runner_has_is_refused(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    (tmp_path / "repository" / "Dockerfile").write_text("FROM busybox:latest\n")
    (tmp_path / "more.yml").write_text(STACKS["one-service"])
    world = make_world(tmp_path / "repository", compose=STACKS["one-service"])

    assert world.run("ci", "github", "-f", "compose.yaml", "-f", "../more.yml") == 2
    assert "more.yml is outside" in capsys.readouterr().err


def test_the_workflows_of_another_stack_are_not_overwritten(tmp_path: Path, capsys: Captured) -> None:
    written(tmp_path, "one-service")
    other = tmp_path / "other"
    other.mkdir()
    (other / "Dockerfile").write_text("FROM busybox:latest\n")
    world = make_world(other, compose=STACKS["one-service"])

    assert world.run("ci", "github", "--write") == 2
    assert "for the stack in the directory . of the repository" in capsys.readouterr().err


def test_a_check_does_not_care_what_the_directory_is_called(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "elsewhere").mkdir()
    written(tmp_path / "here", "one-service")
    world = make_world(tmp_path / "elsewhere", compose=STACKS["one-service"])
    (tmp_path / "elsewhere" / "Dockerfile").write_text("FROM busybox:latest\n")
    for name in (".git", ".github"):
        (tmp_path / "here" / name).rename(tmp_path / "elsewhere" / name)

    assert world.run("ci", "github", "--check") == 0


def test_where_nobody_knows_how_tonnage_is_installed_it_has_to_be_said(tmp_path: Path, capsys: Captured) -> None:
    world = make_world(tmp_path, compose=STACKS["one-service"])
    (tmp_path / "Dockerfile").write_text("FROM busybox:latest\n")
    world.ports.installs_with = ""

    assert world.run("ci", "github", "--write") == 2
    assert "--install" in capsys.readouterr().err
    assert world.run("ci", "github", "--write", "--install", "pip install it") == 0
    assert world.run("ci", "github", "--check") == 0
