"""Plan files that are none: each is told what it is instead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.cli.simulated_ports import World

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "It is not JSON"),
        (b"\x80\x81\xff\x00", "It is not text."),
        (b'{"a": 1}', 'It has no "document"'),
        (b"[1, 2]", 'It has no "document"'),
        (b'"x"', 'It has no "document"'),
        (b"[" * 100_003, "It is nested too deeply."),
        (b'{"document": "plan", "format": 1}', "this is a plan as it is shown, not a plan file"),
        (b'{"document": "tonnage-plan", "format": 17}', "this plan file has format 17"),
        (b'{"document": "tonnage-plan", "format": 2}', "this plan file is damaged"),
        (b'{"document": "tonnage-plan", "format": 2, "plan": {"stack": 3}}', "this plan file is damaged"),
    ],
)
def test_what_is_no_plan_file_is_told_so(world: World, capsys: Captured, content: bytes, words: str) -> None:
    file = world.directory / "plan.json"
    file.write_bytes(content)
    assert world.run("deploy", "--plan", str(file)) == 2
    told = capsys.readouterr().err
    assert f"error: {file}: " in told
    assert words in told
    assert "\n  tonnage plan --out plan.json\n" in told
    assert not world.simulator.facts.containers()


def test_half_a_plan_file_is_refused(world: World, capsys: Captured) -> None:
    file = world.directory / "plan.json"
    assert world.run("plan", "--out", str(file)) == 0
    file.write_bytes(file.read_bytes()[:997])
    assert world.run("deploy", "--plan", str(file)) == 2
    assert "It is not JSON" in capsys.readouterr().err


def test_a_step_of_an_unknown_kind_is_refused(world: World, capsys: Captured) -> None:
    file = world.directory / "plan.json"
    assert world.run("plan", "--out", str(file)) == 0
    saved = json.loads(file.read_text())
    saved["plan"]["steps"][0]["action"]["type"] = "frobnicate"
    file.write_text(json.dumps(saved))
    assert world.run("deploy", "--plan", str(file)) == 2
    assert "Invalid value 'frobnicate' - at `$.plan.steps[0].action.type`." in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_told_why(world: World, capsys: Captured) -> None:
    directory = world.directory / "plans"
    directory.mkdir()
    for path, why in ((directory, "Is a directory."), (directory / "x", "No such file or directory.")):
        assert world.run("deploy", "--plan", str(path)) == 2
        told = capsys.readouterr().err
        assert f"the plan {path} cannot be read\n{why}\n" in told


def test_a_file_without_end_is_not_read_to_its_end(world: World, capsys: Captured) -> None:
    assert world.run("deploy", "--plan", "/dev/zero") == 2
    assert "It is a device, and only a file is read here." in capsys.readouterr().err
