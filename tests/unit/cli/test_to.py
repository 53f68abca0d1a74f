from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.cli.simulated_ports import World

Captured = pytest.CaptureFixture[str]
MOUNTING = """
services:
  web:
    build: web
    image: shop-web
    volumes: ["./weights:/weights:ro"]
"""


def test_mounted_files_are_sent_before_anything_is_built(world: World, capsys: Captured) -> None:
    (world.directory / "compose.yaml").write_text(MOUNTING)
    (world.directory / "weights").mkdir()

    assert world.run("plan", "--json", "--to", "ssh://ops@vm.example.org/srv/shop") == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert (steps[0]["name"], steps[0]["kind"]) == ("send-files", "send-files")
    assert steps[0]["kept"]["likely_bytes"] == 17

    assert world.run("deploy", "--to", "ssh://ops@vm.example.org/srv/shop") == 0
    assert world.simulator.sent == ["/srv/shop/weights"]


def test_without_a_directory_nothing_is_sent(world: World) -> None:
    (world.directory / "compose.yaml").write_text(MOUNTING)
    (world.directory / "weights").mkdir()

    assert world.run("deploy", "--to", "ssh://ops@vm.example.org") == 0
    assert world.simulator.sent == []


@pytest.mark.parametrize("to", ["vm.example.org", "tcp://vm:2376", "ssh://", "unix:///var/run/docker.sock"])
def test_what_names_no_machine_is_refused(world: World, capsys: Captured, to: str) -> None:
    assert world.run("plan", "--to", to) == 2
    assert "ssh://user@host" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["deploy", "plan", "rollback", "verify"])
def test_an_empty_one_is_refused(world: World, capsys: Captured, command: str) -> None:
    assert world.run(command, "--to", "") == 2
    assert "--to is empty" in capsys.readouterr().err


def test_two_engines_are_one_too_many(world: World, capsys: Captured) -> None:
    assert world.run("plan", "--to", "ssh://vm", "--host", "ssh://vm") == 2
    assert "--host" in capsys.readouterr().err


def test_build_here_is_for_another_machine_alone(world: World, capsys: Captured) -> None:
    assert world.run("deploy", "--build-here") == 2
    assert "--to ssh://user@host" in capsys.readouterr().err
    assert world.run("deploy", "--build-here", "--no-build", "--to", "ssh://vm") == 2
    assert "exclude each other" in capsys.readouterr().err


def test_what_can_be_built_by_no_other_engine_is_not_built_here(world: World, capsys: Captured) -> None:
    assert world.run("deploy", "--build-here", "--to", "ssh://vm.example.org") == 7
    assert "it is the same engine" in capsys.readouterr().err
    assert not world.simulator.facts.containers()


def test_a_wrong_place_to_build_is_refused(world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.ports, "environment", {**world.ports.environment, "TONNAGE_BUILD_ON": "nowhere"})
    assert world.run("deploy", "--to", "ssh://vm.example.org") == 2
    assert "auto, here, there" in capsys.readouterr().err
