"""How the program ends: exit codes, what people and programs read, broken pipes, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tonnage.runtime.signals import CancelOnSignal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

    from tonnage.model.inventory import Inputs
    from tonnage.model.stack import Service

Captured = pytest.CaptureFixture[str]


def test_no_command_shows_the_help_and_ends_with_2(world: World, capsys: Captured) -> None:
    assert world.run() == 2
    assert "Commands:" in capsys.readouterr().err


def test_help_and_version_end_with_0(world: World, capsys: Captured) -> None:
    assert world.run("--help") == 0
    assert world.run("--version") == 0
    assert "tonnage, version" in capsys.readouterr().out


def test_an_unknown_command_is_answered_with_the_nearest(world: World, capsys: Captured) -> None:
    assert world.run("depoly") == 2
    assert "Did you mean 'deploy'?" in capsys.readouterr().err


def test_an_unknown_option_is_answered_with_the_nearest_and_with_the_help_of_its_command(
    world: World, capsys: Captured
) -> None:
    assert world.run("deploy", "--keepfree", "2GB") == 2

    told = capsys.readouterr().err
    assert "'--keep-free'" in told
    assert "\n  tonnage deploy --help\n" in told


def test_an_option_without_its_value_leads_to_the_help_of_its_command(world: World, capsys: Captured) -> None:
    assert world.run("forecast", "--explain") == 2

    assert "\n  tonnage forecast --help\n" in capsys.readouterr().err


def test_a_missing_choice_is_told_in_one_line(world: World, capsys: Captured) -> None:
    assert world.run("ci", "--write") == 2

    told = capsys.readouterr().err
    assert "\t" not in told
    assert "github, deploy-script" in told.splitlines()[0]


def test_wrong_usage_is_a_json_object_too_where_json_was_asked_for(world: World, capsys: Captured) -> None:
    assert world.run("plan", "--json", "--nonsense") == 2

    error = json.loads(capsys.readouterr().out)
    assert (error["format"], error["document"], error["exit_code"]) == (1, "error", 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plan", "-f", "nothing.yaml"), "nothing.yaml does not exist"),
        (("deploy", "wbe"), "Did you mean 'web'?"),
        (("deploy", "--keep-free", "10G"), "Write 10GB (decimal) or 10GiB (binary)."),
        (("deploy", "--plan", "compose.yaml"), "cannot be read"),
        (("rehearse", "--disk", "many"), "'many' is not a size"),
        (("watch", "--interval", "soon"), "'soon' is not a duration"),
        (("report", "--last", "0"), "--last"),
    ],
)
def test_wrong_input_ends_with_2_and_says_what_is_wrong(
    world: World, capsys: Captured, arguments: tuple[str, ...], words: str
) -> None:
    assert world.run(*arguments) == 2

    told = capsys.readouterr()
    assert words in told.err
    assert told.out == ""


def test_a_compose_file_as_a_plan_is_no_plan_file(world: World, capsys: Captured) -> None:
    assert world.run("deploy", "--plan", str(world.directory / "compose.yaml")) == 2
    assert "this is not a plan file" in capsys.readouterr().err


def test_no_compose_file_ends_with_2(world: World, capsys: Captured) -> None:
    (world.directory / "compose.yaml").unlink()

    assert world.run("plan") == 2
    assert "there is no compose file" in capsys.readouterr().err


def broken(service: Service) -> Inputs:
    raise ZeroDivisionError(f"by accident in {service.name}")


def test_an_unexpected_failure_is_told_shortly_and_how_to_get_the_traceback(world: World, capsys: Captured) -> None:
    world.ports.files.inputs = broken  # type: ignore[method-assign]

    assert world.run("plan") == 1

    told = capsys.readouterr().err
    assert "ZeroDivisionError: by accident in web" in told
    assert "\n  export TONNAGE_TRACEBACK=1\n" in told
    assert "Traceback" not in told


def test_the_traceback_is_shown_where_it_was_asked_for(world: World, capsys: Captured) -> None:
    world.ports.files.inputs = broken  # type: ignore[method-assign]
    world.ports.environment = {**world.ports.environment, "TONNAGE_TRACEBACK": "1"}

    assert world.run("plan") == 1
    assert "    | Traceback (most recent call last):" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_failure_of_ours(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "TONNAGE_STATE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from tonnage.cli.app import main; sys.exit(main(['report', '--json']))"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        check=False,
    )
    os.close(write)

    assert done.returncode == 128 + signal.SIGPIPE
    assert done.stderr == ""


def test_the_first_signal_asks_to_stop_and_the_handlers_are_given_back() -> None:
    told: list[bool] = []
    before = signal.getsignal(signal.SIGTERM)
    with CancelOnSignal(lambda: told.append(True)) as signals:
        os.kill(os.getpid(), signal.SIGTERM)

        assert signals.cancel.wait(60.0)
        assert signals.number == signal.SIGTERM

    assert told == [True]
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_second_signal_ends_the_program_at_once() -> None:
    code = (
        "import time\n"
        "from tonnage.runtime.signals import CancelOnSignal\n"
        "with CancelOnSignal(lambda: None):\n"
        "    print('ready', flush=True)\n"
        "    end = time.monotonic() + 600\n"
        "    while time.monotonic() < end: time.sleep(0.01)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        program.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert program.poll() is None
        program.send_signal(signal.SIGINT)

        assert program.wait(60) == -signal.SIGINT


def test_a_signal_during_a_run_ends_with_128_and_its_number(world: World, capsys: Captured) -> None:
    real_build = world.simulator.acts.build

    def build_and_be_interrupted(*arguments: object, **named: object) -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        # The handler runs in this thread, between two of its instructions.
        threading.Event().wait(0.05)
        return real_build(*arguments, **named)  # type: ignore[arg-type]

    world.simulator.acts.build = build_and_be_interrupted  # type: ignore[method-assign]

    assert world.run("deploy") == 128 + signal.SIGTERM

    told = capsys.readouterr().err
    assert "stopped in web.build" in told
    assert {each.service for each in world.simulator.facts.containers("hello")} == {"db"}


@pytest.mark.parametrize(
    ("typed", "pointer"),
    [
        ("up", "tonnage deploy"),
        ("version", "tonnage --version"),
        ("down", "docker compose down"),
        ("logs", "docker compose logs"),
        ("ps", "tonnage status"),
        ("deploy --dry-run", "tonnage plan"),
        ("build -n", "tonnage plan --build"),
        ("rollback --dry-run", "tonnage plan --rollback"),
        ("reclaim -y", "tonnage reclaim --yes"),
        ("reclaim -d", "tonnage reclaim --background"),
        ("clean", "tonnage reclaim"),
        ("plan -V", "tonnage --version"),
    ],
)
def test_what_other_tools_call_it_leads_to_what_does_it_here(
    world: World, capsys: pytest.CaptureFixture[str], typed: str, pointer: str
) -> None:
    assert world.run(*typed.split()) == 2
    assert f"Use\n  {pointer}\n" in capsys.readouterr().err


def test_an_option_that_is_not_needed_is_told_as_such(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run("deploy", "-y") == 2
    assert "Tonnage deploy asks nothing: leave it out." in capsys.readouterr().err


def test_what_shows_before_it_removes_says_so_to_whoever_asks_for_that(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.run("reclaim", "--dry-run") == 2
    assert "Tonnage reclaim removes nothing without --yes: leave it out." in capsys.readouterr().err


def test_what_is_known_is_not_guessed_by_its_letters(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run("clean") == 2
    told = capsys.readouterr().err
    assert "No such command 'clean'." in told
    assert "Did you mean" not in told


def test_help_is_a_word_as_well_as_an_option(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run("help") == 0
    assert "Commands:" in capsys.readouterr().out
    assert world.run("help", "reclaim") == 0
    assert capsys.readouterr().out.startswith("Usage: tonnage reclaim ")
    assert world.run("help", "nonsense") == 2
    assert "No such command 'nonsense'." in capsys.readouterr().err
