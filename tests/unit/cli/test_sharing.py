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


def test_the_table_of_a_forecast_counts_and_tells_what_is_shared_once(world: World, capsys: Captured) -> None:
    def told(*arguments: str) -> str:
        capsys.readouterr()
        assert world.run("forecast", *arguments) == 0
        found = capsys.readouterr()
        return found.out

    for name, line in (("api", "torch flask"), ("worker", "torch")):
        write(world, name, f"RUN pip install --no-cache-dir {line}", 4 * MB)
    text = " ".join(told().split())
    assert "api, worker: 2 wheels (960 MB) that api and worker share are installed once, which saves 960 MB" in text
    assert "RUN install what api, worker share" in text
    assert "once, with api" in text
    together = json.loads(told("--json"))
    assert [each["service"] for each in together["services"]] == ["api", "worker"]
    (world.directory / "compose.yaml").write_text(COMPOSE.format(share="off", more=""))
    alone = json.loads(told("--json"))
    saved = alone["stack"]["disk_bytes"]["likely"] - together["stack"]["disk_bytes"]["likely"]
    assert saved == pytest.approx(960 * MB, rel=0.02)
    # What an image weighs is the same.
    for one, other in zip(alone["services"], together["services"], strict=True):
        assert one["image_bytes"]["likely"] == pytest.approx(other["image_bytes"]["likely"], rel=0.01)


def test_a_build_that_cleans_up_after_each_service_keeps_what_the_next_one_stands_on(
    world: World, capsys: Captured
) -> None:
    steps = {each["name"]: each for each in plan(world, capsys, "--build", "--cleanup-after")["steps"]}
    assert len([name for name in steps if name.startswith("share.")]) == 1
    assert steps["worker.build"]["kept"]["likely_bytes"] < 20 * MB


def test_services_are_built_as_they_are_written_where_what_they_share_cannot_be(world: World, capsys: Captured) -> None:
    world.simulator.recipes["/opt/tonnage"] = Recipe(base=BASE, instructions=(Instruction(text="RUN uv", fails=True),))
    assert world.run("deploy") == 0
    told = capsys.readouterr().err
    assert "TONNAGE_SHARE=off" in told
    assert "is not there, so it is built as its Dockerfile says" in told
    assert shared_on(world) == []
    assert {"hull-api", "hull-worker"} <= {name.partition(":")[0] for name in world.simulator.store.names}
    # What was measured of these builds says nothing of builds on a shared image.
    assert plan(world, capsys)["steps"] == []
    world.simulator.recipes["/opt/tonnage"] = Recipe(
        base=BASE, instructions=(Instruction(text="RUN uv", kept_bytes=960 * MB),)
    )
    for name, line in (("api", "RUN pip install torch  flask"), ("worker", "RUN pip  install torch")):
        write(world, name, line, 4 * MB)
    steps = {each["name"]: each for each in plan(world, capsys)["steps"]}
    assert any(name.startswith("share.") for name in steps)


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


def test_what_agreeing_on_a_version_would_save_is_told_with_the_line_to_change(world: World, capsys: Captured) -> None:
    (world.directory / "worker" / "wanted.txt").write_text("flask\ntorch==1.0\n")
    write(world, "api", "RUN pip install torch==2.0", 4 * MB)
    write(world, "worker", "COPY wanted.txt .\nRUN pip install -r wanted.txt", 4 * MB)
    found = plan(world, capsys, "--explain-sharing")["sharing"]
    [agreement] = found["agreements"]
    assert (agreement["name"], agreement["version"], agreement["why"]) == ("torch", "2.0", "")
    assert agreement["saves_bytes"] == pytest.approx(900 * MB, rel=0.01)
    assert [(each["service"], each["old"], each["place"]) for each in agreement["changes"]] == [
        ("worker", "1.0", "wanted.txt:2")
    ]
    assert world.run("plan", "--explain-sharing") == 0
    told = capsys.readouterr()
    assert "worker: write torch==2.0 in wanted.txt:2 (now 1.0)" in told.out + told.err

    # What does not resolve together is not proposed.
    (world.directory / "worker" / "wanted.txt").write_text("needs-old-torch\ntorch==1.0\n")
    [agreement] = plan(world, capsys, "--explain-sharing")["sharing"]["agreements"]
    assert agreement["saves_bytes"] == 0
    assert "worker" in agreement["why"]


def test_uv_installs_before_the_build_where_that_is_said(world: World, capsys: Captured) -> None:
    alone = ", installer: uv, share: off"
    (world.directory / "compose.yaml").write_text(COMPOSE.format(share="auto", more=alone))
    found = plan(world, capsys, "--explain-sharing")
    [image] = found["sharing"]["images"]
    assert (image["services"], image["saved_bytes"]) == (["worker"], 0)
    steps = {each["name"]: each for each in found["steps"]}
    [own] = [name for name in steps if name.startswith("share.")]
    assert list(steps).index(own) < list(steps).index("worker.build")
    # pip would keep the archives of what it installs until all are there.
    assert steps[own]["transient"]["high_bytes"] < steps["api.build"]["transient"]["likely_bytes"] / 2

    assert world.run("plan", "--explain-sharing") == 0
    told = capsys.readouterr()
    assert "installed by uv" in told.out
    assert world.run("deploy") == 0
    [shared] = shared_on(world)
    layers = layers_of(world, shared)
    assert layers_of(world, "hull-worker")[: len(layers)] == layers
    assert layers_of(world, "hull-api")[: len(layers)] != layers
    assert plan(world, capsys)["steps"] == []


def test_what_uv_cannot_install_is_told_with_its_reason(world: World, capsys: Captured) -> None:
    (world.directory / "compose.yaml").write_text(COMPOSE.format(share="off", more=", installer: uv"))
    write(world, "worker", "RUN pip install --user torch", 4 * MB)
    assert world.run("plan") == 0
    told = capsys.readouterr()
    assert "worker: installer: uv does not install what " in told.out + told.err
    assert "--user" in told.out + told.err


def test_the_installer_is_one_of_two(world: World, capsys: Captured) -> None:
    (world.directory / "compose.yaml").write_text(COMPOSE.format(share="off", more=", installer: conda"))
    assert world.run("plan") == 2
    assert "compose.yaml:5" in capsys.readouterr().err
