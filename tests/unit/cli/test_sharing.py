"""Sharing from end to end on the simulator: what is shared is built once, stood on, told, counted once, and removed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.simulator.recipe import Instruction, Recipe, digest_of
from tests.unit.cli.simulated_ports import GOOD, make_world
from tests.unit.decide.share.offering import MB, TableLookups

from tonnage.model.deploy.image_names import is_shared
from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

    from tonnage.adapters.interface import EngineFacts
    from tonnage.model.forecast.base_image import BaseImage
    from tonnage.model.inventory import Layer
    from tonnage.model.stack import BuildSpec

Captured = pytest.CaptureFixture[str]
COMPOSE = """\
name: hull
x-tonnage: {{share: {share}, keep-versions: 0}}
services:
  api: {{build: ./api, x-tonnage: {{stability: 1s}}}}
  worker: {{build: ./worker, x-tonnage: {{stability: 1s{more}}}}}
"""
BASE = "python:3.11-slim"


class Lookups(TableLookups):
    """The table of packages, with the Dockerfiles that are there."""

    def dockerfile(self, spec: BuildSpec) -> str:
        return RealLookups.dockerfile(self, spec)

    def base_image(self, reference: str, platform: str) -> BaseImage:
        found = super().base_image(reference, platform)
        ground = replace(found.layers[0], chain_id=digest_of("layer", "python"))
        return replace(found, layers=(ground,))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two services with torch and numpy in common, on an engine that has their base."""
    found = make_world(tmp_path, compose=COMPOSE.format(share="auto", more=""))
    simulator = found.simulator
    simulator.add_to_registry(BASE, [("python", MB)])
    for name, own in (("api", "flask"), ("worker", "")):
        write(found, name, f"RUN pip install torch {own}", 4 * MB)
    # What uv does in the image of shared wheels.
    simulator.recipes["/opt/tonnage"] = Recipe(
        base=BASE, instructions=(Instruction(text="RUN uv", kept_bytes=960 * MB),)
    )

    def look_up(facts: EngineFacts | None, offline: bool) -> Lookups:  # noqa: FBT001 - called so
        del facts, offline
        return Lookups({}, found.directory / "cache", offline=True)

    found.ports.looks_up = look_up
    return found


def write(world: World, name: str, line: str, kept_bytes: int) -> None:
    directory = world.directory / name
    directory.mkdir(exist_ok=True)
    (directory / "Dockerfile").write_text(f"FROM {BASE}\n{line}\nCMD serve\n")
    recipe = Recipe(base=BASE, instructions=(Instruction(text=line, kept_bytes=kept_bytes),), behaviour=GOOD.behaviour)
    world.simulator.describe(str(directory), recipe)


def plan(world: World, capsys: Captured, *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert world.run("plan", "--json", *arguments) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def shared_on(world: World) -> list[str]:
    return [name for name in world.simulator.store.names if is_shared(name)]


def layers_of(world: World, name: str) -> Sequence[Layer]:
    found = world.simulator.store.find(name)
    assert found is not None
    return found.layers


def test_a_plan_builds_what_is_shared_once_and_counts_it_once(world: World, capsys: Captured) -> None:
    steps = {each["name"]: each for each in plan(world, capsys)["steps"]}
    [shared] = [name for name in steps if name.startswith("share.")]
    assert list(steps).index(shared) < list(steps).index("api.build") < list(steps).index("worker.build")
    assert steps[shared]["kept"]["likely_bytes"] == pytest.approx(960 * MB + 50 * MB, rel=0.02)
    # Besides flask only pip's own bytecode, and the base, which the first build brings.
    assert steps["worker.build"]["kept"]["likely_bytes"] < 20 * MB

    (world.directory / "compose.yaml").write_text(COMPOSE.format(share="off", more=""))
    alone = {each["name"]: each for each in plan(world, capsys)["steps"]}
    assert "share" not in "".join(alone)
    assert alone["worker.build"]["kept"]["likely_bytes"] > 960 * MB


def test_what_was_shared_is_there_for_the_next_build_and_goes_with_the_last(world: World, capsys: Captured) -> None:
    assert world.run("deploy") == 0
    [shared] = shared_on(world)
    layers = layers_of(world, shared)
    for name in ("hull-api", "hull-worker"):
        assert layers_of(world, name)[: len(layers)] == layers
    assert plan(world, capsys)["steps"] == []

    write(world, "api", "RUN pip install torch  flask", 5 * MB)
    names = [each["name"] for each in plan(world, capsys)["steps"]]
    assert not [name for name in names if "share" in name]
    assert world.run("deploy") == 0
    assert layers_of(world, "hull-api")[: len(layers)] == layers
    assert shared_on(world) == [shared]

    (world.directory / "compose.yaml").write_text(COMPOSE.format(share="off", more=""))
    for name in ("api", "worker"):
        write(world, name, "RUN pip install  torch", 7 * MB)
    assert world.run("deploy") == 0
    write(world, "api", "RUN pip  install torch", 7 * MB)
    assert any(each["name"].startswith("unshare.") for each in plan(world, capsys)["steps"])
    assert world.run("deploy") == 0
    assert shared_on(world) == []


def test_a_service_says_for_itself_that_it_shares_nothing(world: World, capsys: Captured) -> None:
    (world.directory / "compose.yaml").write_text(COMPOSE.format(share="auto", more=", share: off"))
    found = plan(world, capsys, "--explain-sharing")
    assert found["sharing"]["images"] == []
    assert [each["service"] for each in found["sharing"]["services"] if each["off"]] == ["worker"]


def test_sharing_is_explained_also_where_it_is_off(world: World, capsys: Captured) -> None:
    write(world, "worker", "RUN pip install --prefix=/x torch", 4 * MB)
    assert world.run("plan", "--explain-sharing") == 0
    told = capsys.readouterr()
    assert "apart: pip install --prefix=/x torch: --prefix or --root puts it elsewhere" in told.out + told.err
    (world.directory / "compose.yaml").write_text(COMPOSE.format(share="off", more=""))
    assert world.run("plan", "--explain-sharing") == 0
    told = capsys.readouterr()
    assert "nothing: x-tonnage.share is off" in told.out + told.err
    assert "could share 3 wheels of 963 MB" in told.out + told.err


def test_nothing_is_said_of_sharing_that_was_not_asked_for(world: World, capsys: Captured) -> None:
    assert "sharing" not in plan(world, capsys)
    assert world.run("plan", "--rollback", "--explain-sharing") == 2


def test_the_verdict_of_a_forecast_counts_what_is_shared_once(world: World, capsys: Captured) -> None:
    def peak() -> int:
        capsys.readouterr()
        assert world.run("forecast", "--json") == 0
        found: int = json.loads(capsys.readouterr().out)["deploy"]["peak_bytes"]["likely"]
        return found

    shared = peak()
    (world.directory / "compose.yaml").write_text(COMPOSE.format(share="off", more=""))
    assert peak() - shared > 700 * MB


def test_a_build_that_cleans_up_after_each_service_keeps_what_the_next_one_stands_on(
    world: World, capsys: Captured
) -> None:
    steps = {each["name"]: each for each in plan(world, capsys, "--build", "--cleanup-after")["steps"]}
    assert len([name for name in steps if name.startswith("share.")]) == 1
    assert steps["worker.build"]["kept"]["likely_bytes"] < 20 * MB


def test_a_shared_image_that_cannot_be_built_says_how_to_do_without(world: World, capsys: Captured) -> None:
    world.simulator.recipes["/opt/tonnage"] = Recipe(base=BASE, instructions=(Instruction(text="RUN uv", fails=True),))
    assert world.run("deploy") == 10
    assert "TONNAGE_SHARE=off" in capsys.readouterr().err


def test_what_is_built_for_another_machine_shares_nothing(world: World, capsys: Captured) -> None:
    text = COMPOSE.format(share="auto", more="")
    text = text.replace("build: ./worker", "build: {context: ./worker, platforms: [linux/arm64]}")
    (world.directory / "compose.yaml").write_text(text)
    told = {each["service"]: each for each in plan(world, capsys, "--explain-sharing")["sharing"]["services"]}
    assert "aarch64" in told["worker"]["apart"][0]["why"]
    assert told["api"]["could_share_bytes"] > 900 * MB


def test_a_saved_plan_that_shares_is_carried_out_as_it_is(world: World) -> None:
    saved = str(world.directory / "plan.json")
    assert world.run("plan", "--out", saved) == 0
    assert world.run("deploy", "--plan", saved) == 0
    assert len(shared_on(world)) == 1
