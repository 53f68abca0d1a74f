from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from tests.simulator.recipe import Instruction, Recipe
from tests.unit.cli.simulated_ports import GOOD

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
    assert "no known sign of a full disk" in capsys.readouterr().out


def test_the_json_form_has_its_symptoms(world: World, capsys: Captured) -> None:
    assert world.run("explain", "--json", str(LOGS / "full" / "yum.log")) == 0

    found = json.loads(capsys.readouterr().out)
    assert found["document"] == "explanations"
    assert found["explanations"][0]["missing_bytes"] == 1_374_000_000
    assert found["explanations"][0]["symptoms"][0]["line"] == 4


def test_a_log_may_come_from_a_pipe(world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"gzip: stdout: No space left on device\n\xff")))

    assert world.run("explain", "-") == 0
    assert "gzip could not write" in capsys.readouterr().out


def test_the_logs_of_a_job_may_be_packed_as_they_are_downloaded(world: World, capsys: Captured) -> None:
    packed = world.directory / "logs_4711.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("0_build.txt", (LOGS / "full" / "github-colours.log").read_text())

    assert world.run("explain", "--json", str(packed)) == 0
    (found,) = json.loads(capsys.readouterr().out)["explanations"]
    assert (found["kind"], found["elsewhere"]) == ("disk-full", "the GitHub runner")


def test_an_empty_log_is_wrong_usage(world: World, capsys: Captured) -> None:
    (world.directory / "empty.log").touch()

    assert world.run("explain", str(world.directory / "empty.log")) == 2
    assert "is empty" in capsys.readouterr().err


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


def test_a_log_of_another_machine_is_told_without_the_figures_of_this_one(world: World, capsys: Captured) -> None:
    log = world.directory / "job.log"
    log.write_text(
        "2026-11-02T09:18:20.1712450Z #14 Downloading nvidia_cudnn_cu12-9.1.0.70-py3-none-manylinux2014_x86_64.whl\n"
        "2026-11-02T09:18:21.7712450Z #14 201.3 ERROR: Could not install packages due to an OSError: [Errno 28] No"
        " space left on device\n"
        "2026-11-02T09:18:22.7712450Z target web: failed to solve: exit code: 1\n"
        "2026-11-02T09:18:23.7712450Z ##[error]Process completed with exit code 1.\n"
    )

    assert world.run("explain", "--json", str(log)) == 0
    (found,) = json.loads(capsys.readouterr().out)["explanations"]
    assert found["what"] == "the disk of the GitHub runner was full: pip could not write (service web)"
    assert (found["elsewhere"], found["service"], found["mount"]) == ("the GitHub runner", "web", None)
    assert not [sentence for sentence in found["why"] if "14.0 GB" in sentence]
    assert any("CUDA (nvidia-cudnn-cu12)" in sentence for sentence in found["why"])
    assert "  tonnage ci github --write" in found["todo"].splitlines()


def test_without_a_log_the_last_run_that_failed_is_explained(world: World, capsys: Captured) -> None:
    said = "tar: lib/libtorch.so: Cannot write: No space left on device"
    world.recipe(Recipe(instructions=(Instruction(text="RUN tar", fails=True, prints=(said,)),)))
    assert world.run("build", "web") == 10
    capsys.readouterr()

    assert world.run("explain", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["log"] == "run 1 of hello"
    assert told["explanations"][0]["service"] == "web"
    assert any(sentence.startswith("Run 1, step web.build: ") for sentence in told["explanations"][0]["why"])


def test_a_last_run_whose_log_has_no_sign_is_told_as_the_journal_has_it(world: World, capsys: Captured) -> None:
    world.recipe(Recipe(instructions=(Instruction(text="RUN false", fails=True, prints=("it breaks here",)),)))
    assert world.run("build", "web") == 10
    capsys.readouterr()

    assert world.run("explain") == 0
    assert "web.build" in capsys.readouterr().out


def test_that_a_later_run_ended_well_is_said_of_one_that_failed(world: World, capsys: Captured) -> None:
    world.recipe(Recipe(instructions=(Instruction(text="RUN false", fails=True, prints=("it breaks here",)),)))
    assert world.run("build", "web") == 10
    world.recipe(GOOD)
    assert world.run("build", "web") == 0
    capsys.readouterr()
    assert world.run("explain") == 0
    assert "This is over: run 2 of hello ended well afterwards." in capsys.readouterr().out


def test_where_no_run_failed_a_log_has_to_be_named(world: World, capsys: Captured) -> None:
    assert world.run("explain") == 0
    assert "no failed run in the journal; name a log" in capsys.readouterr().out


def test_only_a_run_of_the_log_s_time_is_connected_with_it(world: World, capsys: Captured) -> None:
    said = "tar: lib/libtorch.so: Cannot write: No space left on device"
    world.recipe(Recipe(instructions=(Instruction(text="RUN tar", fails=True, prints=(said,)),)))
    assert world.run("build", "web") == 10
    log = world.directory / "old.log"
    log.write_text(f"2001-02-03T04:05:06Z {said}\n")
    capsys.readouterr()

    assert world.run("explain", str(log)) == 0
    assert "Run 1" not in capsys.readouterr().out
