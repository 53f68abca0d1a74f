"""Pulls in plans and deploys: a registry of this machine tells what it has, and the engine is a simulated one."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from tests.docker_registry import free_address
from tests.layer_registry import layer_registry
from tests.scenarios.random_engines import MIB, layer
from tests.unit.cli.simulated_ports import GOOD, make_world

from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

    from tonnage.adapters.interface import EngineFacts

Captured = pytest.CaptureFixture[str]
COMPOSE = """\
name: hull
services:
  web: {{build: ./web, image: "{address}/web:1"}}
  db: {{image: "{address}/db:1", pull_policy: always}}
"""
DB_BYTES = 3 * MIB


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A stack of two services, one of them built, whose images a registry has."""
    address = free_address()
    (tmp_path / "layers").mkdir()
    for number, name in enumerate(("web", "db")):
        (tmp_path / "layers" / f"{name}.tar").write_bytes(layer(number, DB_BYTES))
    found = make_world(tmp_path, compose=COMPOSE.format(address=address))
    for name in ("web", "db"):
        found.simulator.add_to_registry(f"{address}/{name}:1", ((name, DB_BYTES),), GOOD.behaviour)

    def look_up(facts: EngineFacts | None, offline: bool) -> RealLookups:  # noqa: FBT001 - called as forecasting calls it
        del facts
        return RealLookups({}, tmp_path / "cache", offline=offline, from_registries=found.ports.from_registries)

    found.ports.looks_up = look_up
    with layer_registry(tmp_path / "layers", int(address.rpartition(":")[2]), []):
        end = time.monotonic() + 60
        while not _answers(address):
            assert time.monotonic() < end
            time.sleep(0.02)
        yield found


def _answers(address: str) -> bool:
    try:
        with urlopen(f"http://{address}/v2/"):
            return True
    except URLError:
        return False


def plan(world: World, capsys: Captured, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
    """Return a plan as JSON."""
    capsys.readouterr()
    assert world.run("plan", "--json", *arguments) == exit_code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def steps(plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in plan["steps"]}


def test_a_pull_has_the_bytes_that_its_registry_tells(world: World, capsys: Captured) -> None:
    found = steps(plan(world, capsys))
    pull = found["db.pull"]
    assert pull["kept"]["low_bytes"] * 0.9 <= DB_BYTES <= pull["kept"]["high_bytes"] * 1.1
    assert pull["kept"]["grade"] == "declared"
    assert "web.build" in found


def test_a_pull_that_cannot_fit_is_refused_and_nothing_is_done(world: World, capsys: Captured) -> None:
    world.ports.looks_up, looks_up = None, world.ports.looks_up
    available = plan(world, capsys, "db")["available_bytes"]
    keep_free = ("--keep-free", f"{available - MIB}B")
    assert steps(plan(world, capsys, "db", *keep_free))["db.pull"]["kept"]["grade"] == "unknown"
    world.ports.looks_up = looks_up
    assert "db.pull cannot fit" in plan(world, capsys, "db", *keep_free, exit_code=3)["refusal"]["what"]
    assert world.run("deploy", "db", *keep_free) == 3
    assert not world.simulator.log


def test_what_its_registry_has_is_pulled_in_place_of_what_is_here_when_that_is_said(
    world: World, capsys: Captured
) -> None:
    assert world.run("deploy", "db") == 0
    moved = steps(plan(world, capsys, "db"))["db.pull"]
    assert "its registry has another" in moved["cause"]
    for word in ("missing", "if_not_present", "never", "build"):
        assert plan(world, capsys, "db", "--pull", word)["steps"] == []


def test_without_builds_images_are_pulled_and_what_they_are_built_from_need_not_be_there(
    world: World, capsys: Captured, tmp_path: Path
) -> None:
    (tmp_path / "web" / "Dockerfile").unlink()
    assert world.run("plan") == 2
    saved = str(tmp_path / "plan.json")
    assert set(steps(plan(world, capsys, "web", "--no-build", "--out", saved))) >= {"web.pull", "web.switch"}
    assert world.run("deploy", "--plan", saved) == 0
    assert not [act for act in world.simulator.log if act.startswith("build")]
    assert any(act.startswith("pull") for act in world.simulator.log)
    # Written by hand it is refused, whatever the file says.
    assert world.run("deploy", "--plan", saved, "--no-build") == 2


@pytest.mark.parametrize("choice", [("--pull", "always"), ("--no-build",)])
@pytest.mark.parametrize("purpose", ["--build", "--rollback"])
def test_where_images_come_from_belongs_to_a_deploy(world: World, purpose: str, choice: tuple[str, ...]) -> None:
    assert world.run("plan", purpose, *choice) == 2
