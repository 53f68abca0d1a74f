"""What shells complete: asked as their scripts ask, and by the shells themselves where they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.simulated_ports import make_world

from tonnage.cli.group import COMMANDS, COMPLETING
from tonnage.model.reclaim.candidate import named_kinds

if TYPE_CHECKING:
    from tests.unit.cli.simulated_ports import World

Captured = pytest.CaptureFixture[str]
SHELLS = {
    "bash": """
        tonnage completion bash > script && . ./script
        complete -p tonnage | grep -q _tonnage_completion || echo "not registered"
        COMP_WORDS=(tonnage TYPED) COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
        _tonnage_completion tonnage
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "zsh": """
        autoload -U compinit && compinit -u -d ./dump
        tonnage completion zsh > script && . ./script
        [ "$_comps[tonnage]" = _tonnage_completion ] || echo "not registered"
        _describe() { print -l -- "${(@)${(P)3}%%:*}" }
        compadd() { print -l -- "${(@P)@[-1]}" }
        words=(tonnage TYPED) CURRENT=${#words}
        _tonnage_completion
    """,
    "fish": """
        tonnage completion fish > script && source ./script
        complete -C "tonnage TYPED" | string replace -r '\\t.*' ''; true
    """,
}


def completed(world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch, *typed: str, shell: str = "bash") -> str:
    """Return what is answered for words, of which the last one is not whole."""
    words = ["tonnage", *typed]
    monkeypatch.setenv("COMP_WORDS", " ".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1) if shell != "fish" else words[-1])
    world.ports.environment = {**world.ports.environment, COMPLETING: f"{shell}_complete"}
    assert world.run() == 0
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


def values(world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch, *typed: str) -> list[str]:
    lines = completed(world, capsys, monkeypatch, *typed).splitlines()
    return [line.removeprefix("plain,") for line in lines if line]


def test_commands_are_completed(world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    assert values(world, capsys, monkeypatch, "re") == [name for name in COMMANDS if name.startswith("re")]
    assert COMMANDS["reclaim"] in completed(world, capsys, monkeypatch, "re", shell="zsh")


def test_services_of_the_compose_file_are_completed_once(
    world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert values(world, capsys, monkeypatch, "deploy", "") == ["db", "web"]
    assert values(world, capsys, monkeypatch, "deploy", "web", "") == ["db"]
    assert values(world, capsys, monkeypatch, "plan", "--keep-free", "2GB", "w") == ["web"]


def test_services_come_from_the_file_that_was_typed(
    world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.directory / "other.yaml").write_text("services:\n  api: {image: x}\n")
    assert values(world, capsys, monkeypatch, "deploy", "-f", "other.yaml", "") == ["api"]


def test_where_nothing_can_be_read_nothing_is_completed(
    world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.directory / "compose.yaml").write_text("services: [\n")
    assert values(world, capsys, monkeypatch, "deploy", "") == []
    assert values(world, capsys, monkeypatch, "nonsense", "") == []


def test_kinds_that_reclaim_takes_are_completed(
    world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert values(world, capsys, monkeypatch, "reclaim", "--only", "") == list(named_kinds())
    assert values(world, capsys, monkeypatch, "reclaim", "--only", "image", "--only", "i") == []


def test_runs_are_completed_with_what_they_were(world: World, capsys: Captured) -> None:
    from tonnage.flows.machine.completion import runs  # noqa: PLC0415 - only here
    from tonnage.flows.requests import StackFlags  # noqa: PLC0415

    assert runs(world.ports, StackFlags()) == []
    world.run("deploy")
    capsys.readouterr()

    [(number, about)] = runs(world.ports, StackFlags())
    assert number == "1"
    assert about.startswith("deploy hello, ")
    assert about.endswith(", done")


def test_values_that_are_files_or_choices_are_completed(
    world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert completed(world, capsys, monkeypatch, "deploy", "-f", "c") == "file,c\n"
    assert completed(world, capsys, monkeypatch, "deploy", "--project-directory", "c") == "dir,c\n"
    assert values(world, capsys, monkeypatch, "deploy", "--pull", "a") == ["always"]
    assert values(world, capsys, monkeypatch, "completion", "") == ["bash", "zsh", "fish"]


def test_an_unknown_shell_is_refused(world: World) -> None:
    world.ports.environment = {**world.ports.environment, COMPLETING: "ksh_complete"}
    assert world.run() == 1


@pytest.mark.parametrize("shell", SHELLS)
def test_a_real_shell_completes(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    make_world(tmp_path)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TONNAGE_STATE_DIR": str(tmp_path / "state"),
    }
    plain = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]

    def answers(words: str) -> list[str]:
        script = SHELLS[shell].replace("TYPED", words)
        done = subprocess.run(
            [program, *plain, "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.split()

    assert answers("deploy w") == ["web"]
    assert answers("reclaim --only ima") == ["image"]
    assert answers("roll") == ["rollback"]
