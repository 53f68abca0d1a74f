from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.unit.cli.simulated_ports import make_world

from tonnage.flows.plan_files import read_plan_file, write_plan_file
from tonnage.model.forecast.estimate import Estimate, Grade

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_refused_plan_is_saved_refused_again_and_tells_reclaim_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make_world(tmp_path)
    file = tmp_path / "plan.json"

    assert world.run("plan", "--keep-free", "13999999989B", "--out", str(file)) == 3
    assert f"tonnage reclaim --for {file} --yes" in capsys.readouterr().err
    assert json.loads(file.read_text())["plan"]["refusal"]["what"]
    assert world.run("deploy", "--plan", str(file)) == 3
    assert not world.simulator.facts.containers("hello")
    capsys.readouterr()
    available_bytes = world.simulator.facts.filesystems()[0].available_bytes
    assert world.run("reclaim", "--for", str(file), "--json") == 4
    document = json.loads(capsys.readouterr().out)
    assert document["target_bytes"] >= 13_999_999_989 > available_bytes


def test_a_plan_that_may_begin_is_no_failure_though_its_worst_moment_can_never_have_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make_world(tmp_path)
    file = tmp_path / "plan.json"
    assert world.run("plan", "--out", str(file)) == 0
    plan = read_plan_file(str(file)).plan
    doubtful = Estimate(plan.available_bytes - 13_500_000_017, 9_000_000_011, 12_000_000_007, Grade.UNKNOWN)
    steps = (replace(plan.steps[0], available_lowest=doubtful), *plan.steps[1:])
    write_plan_file(replace(plan, steps=steps), str(file))
    capsys.readouterr()

    assert world.run("reclaim", "--for", str(file), "--yes", "--json") == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert not document["enough"]
    assert document["target_bytes"] == 14_000_000_029
    assert "the plan may begin, and up to" in printed.err
    assert world.run("reclaim", "--for", str(file)) == 0
