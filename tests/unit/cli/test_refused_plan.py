from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.unit.cli.simulated_ports import make_world

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
