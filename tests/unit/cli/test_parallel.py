"""How many images are made at once: a number, or one at a time, and not both."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.cli.simulated_ports import World

Captured = pytest.CaptureFixture[str]


def test_sequential_is_one_at_a_time_whatever_the_file_says(world: World, capsys: Captured) -> None:
    file = world.directory / "compose.yaml"
    file.write_text(f"x-tonnage:\n  parallel: 3\n{file.read_text()}")
    for flags, wanted in (((), 3), (("--sequential",), 1), (("--parallel", "2"), 2)):
        assert world.run("plan", "--json", *flags) == 0
        assert json.loads(capsys.readouterr().out)["policy"]["parallel"] == wanted


def test_sequential_and_another_number_contradict_each_other(world: World, capsys: Captured) -> None:
    assert world.run("deploy", "--sequential", "--parallel", "3") == 2
    assert "--sequential is --parallel 1: name one of them" in capsys.readouterr().err
    assert world.run("deploy", "--sequential", "--parallel", "1") == 0


@pytest.mark.parametrize("written", ["0", "many", "-2"])
def test_a_file_names_a_whole_number_of_images(world: World, capsys: Captured, written: str) -> None:
    file = world.directory / "compose.yaml"
    file.write_text(f"x-tonnage:\n  parallel: {written}\n{file.read_text()}")
    assert world.run("plan") == 2
    assert "compose.yaml:2: x-tonnage.parallel must be a whole number" in capsys.readouterr().err
