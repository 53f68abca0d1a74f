from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tonnage.errors import TonnageError

if TYPE_CHECKING:
    from tests.unit.cli.simulated_ports import World

    from tonnage.adapters.interface import EngineFacts

Captured = pytest.CaptureFixture[str]


def items(world: World, capsys: Captured) -> dict[str, Any]:
    capsys.readouterr()
    world.run("doctor", "--json")
    return {each["name"]: each for each in json.loads(capsys.readouterr().out.splitlines()[0])["checklist"]}


def test_the_checklist_is_verified_from_the_repository_and_the_journal(world: World, capsys: Captured) -> None:
    (world.directory / "web" / "Dockerfile").write_text("FROM busybox:latest\nRUN pip install numpy\n")
    before = items(world, capsys)
    assert before["no-cache installs"]["found"] == "a cache stays in the image: web/Dockerfile:2"
    assert before["rollback tested"]["state"] == "failed"
    assert before["cleanup documented"]["state"] == "failed"

    (world.directory / "web" / "Dockerfile").write_text(
        "FROM busybox:latest\nARG PIP_NO_CACHE_DIR\nENV PIP_NO_CACHE_DIR=$PIP_NO_CACHE_DIR\nRUN pip install numpy\n"
    )
    assert world.run("ci", "deploy-script", "--write") == 0
    assert world.run("ci", "github", "--write") == 0
    assert world.run("deploy") == 0
    after = items(world, capsys)
    assert after["no-cache installs"]["state"] == "passed"
    assert after["cleanup documented"]["found"] == "deploy.sh"
    assert after["disk cleanup in the workflows"]["state"] == "passed"
    assert after["disk recorded during deploys"]["state"] == "passed"


def test_without_a_stack_there_is_no_checklist(world: World, capsys: Captured) -> None:
    (world.directory / "compose.yaml").unlink()

    assert items(world, capsys) == {}


def test_people_read_it_below_the_checks(world: World, capsys: Captured) -> None:
    world.run("doctor")

    told = capsys.readouterr().out
    assert "\nchecklist of " in told
    assert "  tonnage rehearse --disk " in told


def test_what_is_installed_is_looked_up_with_the_images_of_the_engine(world: World, capsys: Captured) -> None:
    asked: list[tuple[object, bool]] = []

    def looks_up(facts: EngineFacts | None, offline: bool) -> NoReturn:  # noqa: FBT001 - called as forecasting calls it
        asked.append((facts, offline))
        raise TonnageError("nothing is known from earlier")

    world.ports.looks_up = looks_up
    items(world, capsys)
    assert asked == [(world.simulator.facts, True)]

    world.ports.reachable = False
    items(world, capsys)
    assert asked[1:] == [(None, True)]
