from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.docs.cli_reference import all_exit_codes, reference, verb

from tonnage import errors
from tonnage.cli.app import cli
from tonnage.cli.group import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
SHARED = {"-f", "-p", "--project-directory", "--env-file", "--profile", "-H", "--json"}
NOT_ABOUT_SERVICES = {"ci", "explain", "lint", "uninstall"}
NOT_ABOUT_A_STACK = {"completion"}
MOST_MODULES_OF_HELP = 20


def test_the_page_about_the_command_line_is_what_the_commands_say() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == reference()


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - NOT_ABOUT_A_STACK))
def test_every_command_takes_services_and_the_shared_options(name: str) -> None:
    command = verb(name)
    options = {option for parameter in command.params for option in parameter.opts}

    assert options >= SHARED
    assert ("services" in options) is (name not in NOT_ABOUT_SERVICES)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_understood_by_its_command(name: str) -> None:
    command = verb(name)
    assert command.examples

    for line, _ in command.examples:
        program, called, *arguments = line.split()
        assert (program, called) == ("tonnage", name)
        parent = cli.make_context("tonnage", [name], obj=_Session())
        command.make_context(name, arguments, parent=parent).close()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is_for(name: str) -> None:
    for parameter in verb(name).params:
        if not isinstance(parameter, click.Argument):
            assert getattr(parameter, "help", ""), parameter.name


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_command_raises_itself_stands_among_its_exit_codes(name: str) -> None:
    tree = ast.parse((ROOT / "src" / "tonnage" / "cli" / f"{name}.py").read_text())
    raised = {
        node.exc.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
    }
    codes = {code for code, _ in verb(name).exit_codes()}

    for failure in raised:
        assert vars(errors)[failure].exit_code in codes


def test_exit_codes_are_the_ones_that_were_promised() -> None:
    assert all_exit_codes() == {
        0: "done",
        1: "unexpected failure",
        2: "wrong usage or configuration",
        3: "refused: it cannot fit",
        4: "could not reclaim enough",
        5: "not healthy",
        6: "engine unreachable",
        7: "missing program or unsupported version",
        8: "the plan is stale",
        9: "another run holds the lock",
        10: "a step failed",
        11: "a limit is passed, or changes are pending",
    }


def test_help_loads_nothing_that_it_does_not_need() -> None:
    code = (
        "import sys\n"
        "from tonnage.cli.app import main\n"
        "assert main(['--help']) == 0\n"
        "heavy = {'rich', 'docker', 'msgspec', 'ruamel', 'requests', 'sqlite3', 'platformdirs'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "own = [name for name in sys.modules if name.partition('.')[0] == 'tonnage']\n"
        f"assert len(own) <= {MOST_MODULES_OF_HELP}, own\n"
        "assert not [name for name in own if name.startswith('tonnage.adapters')]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


class _Session:
    json = False

    def choose_detail(self, **_: bool) -> None:
        """Take ``--quiet`` and ``--verbose``."""
