from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.unit.decide.reports.test_diagnosis import ROOMY, RUN

from tonnage.decide.reports.diagnosis import explain
from tonnage.decide.reports.log_patterns import read_log
from tonnage.decide.reports.machine_figures import Machine

if TYPE_CHECKING:
    import pytest
    from tests.unit.cli.simulated_ports import World

    Captured = pytest.CaptureFixture[str]

SAID = "inodes left: a build that makes many files fails, whatever the bytes"


def test_few_inodes_are_told_before_a_build_meets_them(world: World, capsys: Captured) -> None:
    disk = world.ports.simulator.disk
    disk.inodes, disk.available_inodes = 16_128, 2

    assert world.run("plan", "--json") in {0, 11}
    assert any(SAID in note for note in json.loads(capsys.readouterr().out)["notes"])
    assert world.run("doctor", "--json") == 0
    (check,) = (each for each in json.loads(capsys.readouterr().out)["checks"] if each["name"] == "inodes")
    assert check["state"] == "warning"
    assert "has 2 of 16128 inodes left" in check["found"]
    assert "du --inodes" in check["todo"]


def test_enough_of_them_are_told_by_doctor_alone(world: World, capsys: Captured) -> None:
    disk = world.ports.simulator.disk
    disk.inodes, disk.available_inodes = 16_128, 9_001

    assert world.run("plan", "--json") in {0, 11}
    assert not [note for note in json.loads(capsys.readouterr().out)["notes"] if "inodes" in note]
    assert world.run("doctor", "--json") == 0
    (check,) = (each for each in json.loads(capsys.readouterr().out)["checks"] if each["name"] == "inodes")
    assert (check["state"], check["found"].endswith("9001 available of 16128")) == ("ok", True)


def test_a_run_that_ended_for_want_of_inodes_is_told_so() -> None:
    run = replace(RUN, message="web.build was stopped: /var/lib/docker has few inodes left")
    (found,) = explain(
        read_log(["/bin/sh: can't create /m/1: No space left on device"]).symptoms,
        Machine(filesystems=(ROOMY,), run=run),
    )

    assert found.what.startswith("/var/lib/docker has no inodes left: ")
