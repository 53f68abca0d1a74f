"""Engines that Tonnage reads, and neither builds nor deploys with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.cli.simulated_ports import make_world

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

Captured = pytest.CaptureFixture[str]


def world_of(tmp_path: Path, store: str, driver: str = "overlay", version: str = "4.3.1") -> World:
    world = make_world(tmp_path)
    simulator = world.simulator
    simulator.identity = replace(
        simulator.identity, image_store=store, storage_driver=driver, version=version, api_version="1.41"
    )
    return world


@pytest.mark.parametrize("words", [("plan",), ("build",), ("build", "--push"), ("deploy",), ("rollback",)])
def test_nothing_is_built_or_deployed_with_podman(tmp_path: Path, capsys: Captured, words: tuple[str, ...]) -> None:
    world = world_of(tmp_path, "podman")
    before = world.simulator.facts.images()
    assert world.run(*words) == 7
    told = capsys.readouterr().err
    assert "nothing is built or deployed with Podman 4.3.1" in told
    assert "Podman has no BuildKit" in told
    assert "\n  tonnage reclaim\n" in told
    assert world.simulator.facts.images() == before
    assert not (world.directory / "state" / "journal.sqlite").exists()


@pytest.mark.parametrize("words", [("status",), ("forecast",), ("reclaim",)])
def test_podman_is_read_and_what_it_does_not_tell_is_said(
    tmp_path: Path, capsys: Captured, words: tuple[str, ...]
) -> None:
    world = world_of(tmp_path, "podman")
    assert world.run(*words) == 0
    assert "note: Podman does not tell of build caches" in "".join(capsys.readouterr())


def test_status_names_podman_and_does_not_say_that_there_is_no_build_cache(tmp_path: Path, capsys: Captured) -> None:
    world = world_of(tmp_path, "podman")
    assert world.run("status") == 0
    assert "engine Podman 4.3.1 (overlay, podman store)" in capsys.readouterr().out
    assert world.run("status", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["engine"]["image_store"], told["use"]["build_cache"]["bytes"]) == ("podman", None)


def test_images_of_podman_come_back_by_its_own_command(tmp_path: Path, capsys: Captured) -> None:
    world = world_of(tmp_path, "podman")
    mine = world.simulator.add_image("localhost/mine:1", (("mine", 900_000_011),))
    pulled = world.simulator.add_image("example.org/base:1", (("pulled", 900_000_017),))
    world.simulator.clock.sleep(1_000.0)
    world.ports.registries_have = frozenset({f"example.org/base@{pulled.image_id}"})
    assert world.run("reclaim", "--only", "image", "--everything") == 0
    told = capsys.readouterr().out
    assert "podman pull example.org/base:1" in told
    assert "docker pull" not in told
    assert "podman pull localhost" not in told
    assert mine.image_id != pulled.image_id


def test_a_store_that_is_not_known_is_read_with_a_note_and_not_built_with(tmp_path: Path, capsys: Captured) -> None:
    world = world_of(tmp_path, "unknown", driver="future", version="31.0.0")
    for words in (("status",), ("forecast",), ("reclaim",)):
        assert world.run(*words) == 0
        assert "note: the engine keeps images in a way that is not known here" in "".join(capsys.readouterr())
    assert world.run("deploy") == 7
    assert "nothing is built or deployed with the engine at unix:///run/simulated.sock" in capsys.readouterr().err


def test_another_storage_driver_of_the_classic_store_is_said_to_keep_other_layers(
    tmp_path: Path, capsys: Captured
) -> None:
    world = world_of(tmp_path, "classic", driver="vfs", version="28.5.2")
    assert world.run("deploy") == 0
    assert "layers are counted as overlay2 keeps them, vfs keeps others" in capsys.readouterr().err


def test_where_containerd_keeps_its_files_is_said_to_be_unknown_with_what_follows_from_it(
    tmp_path: Path, capsys: Captured
) -> None:
    world = world_of(tmp_path, "containerd", driver="overlayfs", version="29.4.2")
    for words in (("status",), ("forecast",), ("plan",), ("deploy",), ("reclaim",)):
        assert world.run(*words) == 0, words
        told = " ".join("".join(capsys.readouterr()).split())
        assert "where that keeps its files cannot be seen from here" in told, words
        assert "what is written there is neither planned nor guarded" in told, words


@pytest.mark.parametrize("words", [("plan",), ("plan", "--build"), ("deploy",), ("build",)])
def test_a_plan_is_refused_for_what_a_deploy_would_be_refused_for(
    tmp_path: Path, capsys: Captured, words: tuple[str, ...]
) -> None:
    world = make_world(tmp_path)
    world.ports.can_build = False
    assert world.run(*words) == 7
    assert "no builder was found" in capsys.readouterr().err


def test_a_forecast_for_another_engine_says_nothing_of_the_one_that_is_here(tmp_path: Path, capsys: Captured) -> None:
    world = world_of(tmp_path, "podman")
    assert world.run("forecast", "--engine", "buildkit") == 0
    assert "Podman" not in capsys.readouterr().err
