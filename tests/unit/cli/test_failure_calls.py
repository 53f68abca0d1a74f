"""Who is told of a deploy that failed, and that it changes nothing else."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.simulated_ports import SICK, make_world

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

Captured = pytest.CaptureFixture[str]
SAVES = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"


def failing(tmp_path: Path, wanted: str) -> World:
    """Return a world whose next deploy fails with exit code 5."""
    world = make_world(tmp_path)
    assert world.run("deploy") == 0
    world.recipe(SICK)
    world.ports.environment = {**world.ports.environment, "TONNAGE_ON_FAILURE": wanted}
    return world


def program(text: str, *arguments: str) -> str:
    return " ".join(f"'{word}'" for word in (sys.executable, "-c", text.replace("'", '"'), *arguments))


def test_a_program_of_the_users_gets_the_run_on_its_standard_input(tmp_path: Path, capsys: Captured) -> None:
    told = tmp_path / "told.json"
    world = failing(tmp_path, program(SAVES, str(told)))
    assert world.run("deploy") == 5
    run = json.loads(told.read_text())
    assert (run["document"], run["purpose"], run["outcome"], run["stack"]) == ("run", "deploy", "failed", "hello")
    assert {"web.prove-candidate": "failed"}.items() <= {each["name"]: each["outcome"] for each in run["steps"]}.items()
    assert f"on-failure: told {sys.executable}" in capsys.readouterr().err


def test_nobody_is_told_of_a_deploy_that_ends_well_or_of_a_failed_build(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    world = failing(tmp_path, program(SAVES, str(told)))
    assert world.run("build") == 0
    assert world.run("plan") == 0
    assert not told.exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("print('\\x1b[2J::set-output\\nno mail server'); raise SystemExit(3)", "it ended with 3: no mail server"),
        ("print('\\x1b]0;owned\\x07'); raise SystemExit(4)", "it ended with 4: \\x1b]0;owned\\x07"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "it ended with -9"),
        ("import time; time.sleep(600)", "gave no answer within 0.5 s"),
        ("while True: print('x' * 99999)", "gave no answer within 0.5 s"),
    ],
)
def test_its_failure_is_said_in_a_line_and_changes_no_exit_code(
    tmp_path: Path, capsys: Captured, text: str, why: str
) -> None:
    world = failing(tmp_path, program(text))
    world.ports.call_within_s = 0.5 if "within" in why else 30.0
    assert world.run("deploy") == 5
    shown = capsys.readouterr().err
    (line,) = (line for line in shown.splitlines() if line.startswith("on-failure: "))
    assert why in line
    assert "\x1b" not in shown


def test_a_program_that_is_not_there_changes_no_exit_code(tmp_path: Path, capsys: Captured) -> None:
    world = failing(tmp_path, "/nowhere/notify --loud")
    assert world.run("deploy") == 5
    assert "on-failure: /nowhere/notify was not told: the program /nowhere/notify is not" in capsys.readouterr().err


@pytest.mark.parametrize("wanted", ["./notify", "bin/notify", "'unclosed"])
def test_a_program_that_depends_on_the_directory_is_refused_before_anything(tmp_path: Path, wanted: str) -> None:
    world = failing(tmp_path, wanted)
    assert world.run("deploy") == 2


def test_none_tells_nobody_whatever_the_project_names(tmp_path: Path, capsys: Captured) -> None:
    world = failing(tmp_path, "none")
    compose = tmp_path / "compose.yaml"
    compose.write_text(compose.read_text() + "x-tonnage: {on-failure: 'https://hooks.example.org/x'}\n")
    assert world.run("deploy") == 5
    assert "on-failure" not in capsys.readouterr().err
