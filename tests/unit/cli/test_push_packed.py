"""Images that are only pushed are not unpacked by an engine that can leave that out. No such engine could be had."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.cli.simulated_ports import GOOD, make_world

from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

    from tonnage.adapters.interface import EngineFacts

Captured = pytest.CaptureFixture[str]
COMPOSE = """\
name: hull
services:
  web: {build: ./web, image: registry.example.org/web:1}
  below: {build: ./below, image: registry.example.org/below:1}
  above:
    image: registry.example.org/above:1
    build: {context: ./above, additional_contexts: {ground: "service:below"}}
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A stack of three services, one built on another."""
    found = make_world(tmp_path, compose=COMPOSE)
    for name in ("web", "below", "above"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "Dockerfile").write_text("FROM scratch\nCOPY big /big\n")
        (tmp_path / name / "big").write_bytes(bytes(10_007))
        found.simulator.describe(str(tmp_path / name), GOOD)
    return found


def engine(world: World, version: str, store: str = "containerd") -> None:
    world.simulator.identity = replace(world.simulator.identity, version=version, image_store=store)


def test_what_is_only_pushed_is_not_unpacked(world: World) -> None:
    engine(world, "29.0.1")

    assert world.run("build", "--push") == 0
    assert sorted(world.simulator.packed) == ["registry.example.org/above:1", "registry.example.org/web:1"]
    assert len(world.simulator.pushed) == 3


@pytest.mark.parametrize(
    ("version", "store"),
    [("29.0.0", "containerd"), ("28.5.2", "containerd"), ("29.4.2", "classic"), ("dev", "containerd")],
)
def test_an_engine_that_cannot_leave_it_out_is_not_asked_to(world: World, version: str, store: str) -> None:
    engine(world, version, store)

    assert world.run("build", "--push") == 0
    assert world.simulator.packed == []


def test_what_is_started_or_kept_is_unpacked(world: World) -> None:
    engine(world, "29.4.2")

    assert world.run("build") == 0
    assert world.run("deploy") == 0
    assert world.simulator.packed == []


@pytest.fixture
def forecasting(world: World) -> World:
    """The same stack, with forecasts."""

    def look_up(facts: EngineFacts | None, offline: bool) -> RealLookups:  # noqa: FBT001 - called so
        del facts
        return RealLookups({}, world.directory / "cache", offline=offline)

    world.ports.looks_up = look_up
    return world


def test_the_forecast_knows_what_is_only_pushed(forecasting: World, capsys: Captured) -> None:
    def disk(*arguments: str) -> int:
        capsys.readouterr()
        assert forecasting.run("forecast", "--json", "web", *arguments) == 0
        found: int = json.loads(capsys.readouterr().out)["services"][0]["disk_bytes"]["likely"]
        return found

    # The layer and the sources of its COPY stay, and the layer packed; its copy for the image does not.
    spared = disk("--engine", "docker-29") - disk("--engine", "docker-29", "--push")
    assert 10_007 < spared < 100_000
    assert disk("--engine", "docker-28", "--push") == disk("--engine", "docker-28")


def test_a_plan_knows_what_is_only_pushed(forecasting: World, capsys: Captured) -> None:
    def kept(version: str, *arguments: str) -> int:
        engine(forecasting, version)
        capsys.readouterr()
        assert forecasting.run("plan", "--build", "--json", "web", *arguments) == 0
        steps = json.loads(capsys.readouterr().out)["steps"]
        found: int = next(each["kept"]["likely_bytes"] for each in steps if each["name"] == "web.build")
        return found

    assert 10_007 < kept("29.0.1") - kept("29.0.1", "--push") < 100_000
    assert kept("28.5.2") == kept("28.5.2", "--push")
