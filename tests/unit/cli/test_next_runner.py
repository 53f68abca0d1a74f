from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.simulated_ports import make_world

from tonnage.model.forecast.base_image import BaseImage, BaseLayer, ReadFrom
from tonnage.model.forecast.estimate import exactly
from tonnage.model.forecast.recipe import BaseConfig
from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

    from tonnage.adapters.interface import EngineFacts

Captured = pytest.CaptureFixture[str]
BIG_BYTES = 600_000_000


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A stack of one service that copies 600 MB."""
    found = make_world(tmp_path, compose="name: hull\nservices:\n  web: {build: ./web}\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / "web" / "Dockerfile").write_text("FROM scratch\nCOPY big /big\n")
    with (tmp_path / "web" / "big").open("wb") as file:
        file.truncate(BIG_BYTES)

    def look_up(facts: EngineFacts | None, offline: bool) -> RealLookups:  # noqa: FBT001 - called so
        del facts
        return RealLookups({}, tmp_path / "cache", offline=offline)

    found.ports.looks_up = look_up
    return found


def forecast(world: World, capsys: Captured, *arguments: str) -> dict[str, int]:
    capsys.readouterr()
    assert world.run("forecast", "--json", *arguments) == 0
    stack = json.loads(capsys.readouterr().out)["stack"]
    return {
        "disk": stack["disk_bytes"]["likely"],
        "peak": stack["disk_bytes"]["likely"] + stack["transient_bytes"]["likely"],
    }


def test_a_forecast_is_made_for_an_engine_that_is_not_here(world: World, capsys: Captured) -> None:
    here = forecast(world, capsys)["disk"]

    assert forecast(world, capsys, "--engine", "docker-28")["disk"] == here
    assert (
        forecast(world, capsys, "--engine", "docker-29")["disk"]
        == forecast(world, capsys, "--engine", "containerd")["disk"]
    )
    assert forecast(world, capsys, "--engine", "docker-29")["disk"] > here
    world.ports.reachable = False
    assert forecast(world, capsys, "--engine", "docker-28", "--disk", "14GB")["disk"] == here


def test_an_engine_of_a_version_has_none_of_the_images_that_are_here(world: World, capsys: Captured) -> None:
    (world.directory / "web" / "Dockerfile").write_text("FROM busybox:latest\nCOPY big /big\n")
    chain = world.simulator.facts.images()[0].chain[-1]

    class Based(RealLookups):
        def base_image(self, reference: str, platform: str) -> BaseImage:
            layer = BaseLayer(
                chain_id=chain, diff_id=chain, image=exactly(70_000_013), disk=exactly(70_000_013), source="told",
                compressed_bytes=30_000_007,
            )  # fmt: skip
            return BaseImage(
                reference=reference, platform=platform, layers=(layer,), config=BaseConfig(), origin=ReadFrom.ENGINE
            )

    world.ports.looks_up = lambda _facts, offline: Based({}, world.directory / "cache", offline=offline)
    here = forecast(world, capsys, "--engine", "buildkit")["disk"]
    assert 70_000_013 < forecast(world, capsys, "--engine", "docker-28")["disk"] - here < 70_200_000


def test_an_engine_that_nobody_knows_is_refused(world: World, capsys: Captured) -> None:
    assert world.run("forecast", "--engine", "docker-30.x") == 2
    assert "names no engine that is known" in capsys.readouterr().err


def test_what_the_next_image_of_a_runner_would_need_is_told(world: World, capsys: Captured) -> None:
    peaks = {name: forecast(world, capsys, "--engine", name)["peak"] for name in ("docker-28.0.4", "docker-29.4.2")}

    assert world.run("ci", "next-runner", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["runner"], found["next_runner"]) == ("ubuntu-24.04", "ubuntu-26.04")
    assert (found["peak_bytes"], found["next_peak_bytes"]) == (peaks["docker-28.0.4"], peaks["docker-29.4.2"])
    assert found["services"][0]["next_peak_bytes"] == found["next_peak_bytes"]

    assert world.run("ci", "next-runner", "--runner-disk", "1GB") == 0
    text = capsys.readouterr().out
    assert "On ubuntu-26.04 (Docker 29.4.2, images in containerd) this stack" in text
    assert "more than on ubuntu-24.04 (Docker 28.0.4, classic image store)" in text
    assert "would have to be freed on a runner of 1.00 GB" in text
    assert text.count("\n| <code>web</code> | ") == 1


def test_of_what_is_not_known_no_figure_is_told(world: World, capsys: Captured) -> None:
    (world.directory / "web" / "Dockerfile").write_text("FROM example.org/nothing:7\nRUN make\n")

    assert world.run("ci", "next-runner") == 0
    text = capsys.readouterr().out
    assert "is not known: web: the image example.org/nothing:7: " in text
    assert "A hosted runner begins with none of the images that only this machine has" in text
    assert "| unknown | unknown |" in text


@pytest.mark.parametrize("runner", ["self-hosted", "ubuntu-26.04", "ubuntu-slim"])
def test_where_no_image_comes_after_nothing_is_compared(world: World, capsys: Captured, runner: str) -> None:
    assert world.run("ci", "next-runner", "--runner", runner) == 2
    assert "--runner" in capsys.readouterr().err


def test_workflows_are_forecast_for_their_runner_and_tell_of_the_next(world: World, capsys: Captured) -> None:
    workflows = world.directory / ".github" / "workflows"
    assert world.run("ci", "github", "--write", "--runner-disk", "1.3GB") == 0
    told = capsys.readouterr().err
    assert "on ubuntu-26.04 (Docker 29.4.2, images in containerd) this stack" in told
    assert "web needs" not in told
    for path in sorted(workflows.iterdir()):
        text = path.read_text()
        assert 'name: "Say what ubuntu-26.04 would need"' in text
        assert "tonnage ci next-runner --runner ubuntu-24.04 --runner-disk 1300000000B" in text

    assert world.run("ci", "github", "--write", "--runner", "ubuntu-26.04") == 0
    assert "web needs" in capsys.readouterr().err
    assert "next-runner" not in (workflows / "docker-deploy.yml").read_text()
    assert world.run("ci", "github", "--write", "--runner", "self-hosted") == 0
    assert "next-runner" not in (workflows / "docker-deploy.yml").read_text()
    assert world.run("ci", "github", "--write", "--runner", "ubuntu-slim") == 2
    assert "has no engine to build with" in capsys.readouterr().err
