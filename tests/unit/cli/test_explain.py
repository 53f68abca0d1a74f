from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from tests.simulator.recipe import Instruction, Recipe

if TYPE_CHECKING:
    from tests.unit.cli.simulated_ports import World

LOGS = Path(__file__).parents[2] / "logs"
Captured = pytest.CaptureFixture[str]


def test_a_log_is_explained_with_the_disk_of_the_engine(world: World, capsys: Captured) -> None:
    assert world.run("explain", str(LOGS / "full" / "buildkit-pip.log")) == 0

    told = capsys.readouterr().out
    assert "was full: pip could not write" in told
    assert "available of 14.0 GB" in told
    assert "\n    tonnage deploy" in told


def test_without_engine_and_stack_a_log_is_explained_all_the_same(world: World, capsys: Captured) -> None:
    world.ports.reachable = False
    (world.directory / "compose.yaml").write_text("services: [")

    assert world.run("explain", str(LOGS / "full" / "tar.log")) == 0
    assert "the disk was full: tar could not write" in capsys.readouterr().out


def test_a_log_without_a_sign_says_so(world: World, capsys: Captured) -> None:
    assert world.run("explain", str(LOGS / "nothing" / "df.log")) == 0
    assert "nothing in it is known" in capsys.readouterr().out


def test_the_json_form_has_its_symptoms(world: World, capsys: Captured) -> None:
    assert world.run("explain", "--json", str(LOGS / "full" / "yum.log")) == 0

    found = json.loads(capsys.readouterr().out)
    assert found["document"] == "explanations"
    assert found["explanations"][0]["missing_bytes"] == 1_374_000_000
    assert found["explanations"][0]["symptoms"][0]["line"] == 4


def test_a_log_may_come_from_a_pipe(world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"gzip: stdout: No space left on device\n\xff")))

    assert world.run("explain", "-") == 0
    assert "tar could not write" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["none.log", "."])
def test_a_log_that_cannot_be_read_is_wrong_usage(world: World, capsys: Captured, name: str) -> None:
    assert world.run("explain", str(world.directory / name)) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_stack_that_was_named_must_be_readable(world: World, capsys: Captured) -> None:
    assert world.run("explain", "-f", "none.yaml", str(LOGS / "full" / "tar.log")) == 2
    assert "none.yaml" in capsys.readouterr().err


def test_a_step_that_fails_for_want_of_space_is_explained_by_itself(world: World, capsys: Captured) -> None:
    said = "tar: lib/libtorch.so: Cannot write: No space left on device"
    world.recipe(Recipe(instructions=(Instruction(text="RUN tar", fails=True, prints=(said,)),)))

    assert world.run("build", "web") == 10
    told = capsys.readouterr().err
    assert "tar was told that there is no space, but" in told
    assert "web.build" in told.split("tar was told")[1]


def test_a_step_that_fails_otherwise_speaks_for_itself(world: World, capsys: Captured) -> None:
    said = "/bin/sh: 1: make: not found"
    world.recipe(Recipe(instructions=(Instruction(text="RUN make", fails=True, prints=(said,)),)))

    assert world.run("build", "web") == 10
    told = capsys.readouterr().err
    assert "make: not found" in told
    assert "no space" not in told
    assert "an image is not there" not in told
