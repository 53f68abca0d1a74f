"""``--quiet`` and ``--verbose``, which every command has."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import click
import pytest
from tests.unit.cli.simulated_ports import SICK

from tonnage.cli.app import cli
from tonnage.cli.group import COMMANDS
from tonnage.cli.session import Session
from tonnage.model.deploy.event import Notice
from tonnage.tracing import trace_command
from tonnage.views.live.lines import QuietView

if TYPE_CHECKING:
    from tests.unit.cli.simulated_ports import World

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_both_after_its_own_options(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    text = command.get_help(click.Context(command, help_option_names=["-h", "--help"]))
    own, _, common = text.partition("Common options:")
    assert "-q, --quiet" in common
    assert "-v, --verbose" in common
    assert "\n  --json" not in own.partition("Options:")[2]


def test_a_quiet_deploy_that_succeeds_says_nothing(world: World, capsys: Captured) -> None:
    assert world.run("deploy", "--quiet") == 0
    assert world.run("deploy", "-q") == 0
    assert world.run("rollback", "-q", "db") != 0
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")


def test_quiet_commands_leave_nothing_on_standard_error(
    world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world.directory)
    for line in (
        "build -q", "deploy -q", "forecast -q", "plan -q", "status -q", "verify -q", "report -q", "reclaim -q",
        "reclaim --until 1MB --yes -q", "rollback --list -q", "doctor --settings -q", "plan -q --out plan.json",
        "lint -q --no-prices",
    ):  # fmt: skip
        assert world.run(*line.split()) == 0, line
        told = capsys.readouterr()
        assert told.err == "", line
        assert bool(told.out) is not line.startswith(("build", "deploy")), line


def test_a_quiet_deploy_that_fails_says_why(world: World, capsys: Captured) -> None:
    world.recipe(SICK)
    assert world.run("deploy", "-q") == 5
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert "web.build done" not in told.err


def test_warnings_are_shown_to_the_quiet_as_well(capsys: Captured) -> None:
    view = QuietView(sys.stderr, monotonic=lambda: 0.0)
    view.show(Notice(text="by the way"))
    view.show(Notice(text="the journal is full", level="warning"))
    assert capsys.readouterr().err == "warning: the journal is full\n"


def test_a_verbose_command_tells_what_it_runs_and_ends_with_that(
    world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.ports, "look_ahead", lambda: trace_command(["docker", "version"]))
    assert world.run("build", "-v") == 0
    assert "run: docker version\n" in capsys.readouterr().err
    assert world.run("build") == 0
    assert "docker version" not in capsys.readouterr().err


def test_quiet_and_verbose_exclude_each_other(world: World, capsys: Captured) -> None:
    assert world.run("status", "-q", "-v") == 2
    assert "exclude each other" in capsys.readouterr().err


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def _said(**environment: str) -> str:
    stream = _Terminal()
    ports = SimpleNamespace(environment=environment)
    Session(ports=ports, stdout=stream, stderr=stream).warn("error: no")
    return stream.getvalue()


def test_errors_are_red_on_a_terminal_that_shows_colours() -> None:
    assert _said(TERM="xterm") == "\x1b[1;31merror:\x1b[0m no\n"
    assert _said(TERM="xterm", NO_COLOR="1") == "error: no\n"
    assert _said(TERM="dumb") == "error: no\n"


@pytest.mark.parametrize(
    ("environment", "is_ascii"),
    [({}, False), ({"LANG": "C"}, True), ({"LANG": "C.UTF-8"}, False), ({"LANG": "C", "LC_ALL": "en_US.UTF-8"}, False)],
)
def test_the_plain_locale_gets_no_blocks(environment: dict[str, str], *, is_ascii: bool) -> None:
    stream = _Terminal()
    ports = SimpleNamespace(environment=environment)
    assert Session(ports=ports, stdout=stream, stderr=stream).ascii_only is is_ascii


def test_a_build_that_removes_what_it_builds_says_so(world: World, capsys: Captured) -> None:
    assert world.run("build", "--cleanup-after") == 0
    assert "none is left at the end" in capsys.readouterr().err
