from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tonnage.flows.requests import StackFlags
from tonnage.flows.stack import read_wanted

if TYPE_CHECKING:
    from tests.unit.cli.simulated_ports import World

Captured = pytest.CaptureFixture[str]


def test_a_build_gets_what_its_dockerfile_declares(world: World) -> None:
    (world.directory / "web" / "Dockerfile").write_text(
        "FROM busybox:latest\nARG PIP_NO_CACHE_DIR\nARG TORCH_INDEX_URL\n"
    )
    world.ports.environment = {**world.ports.environment, "TORCH_INDEX_URL": "https://example.org/cpu"}

    build = read_wanted(world.ports, StackFlags()).stack.service("web").build

    assert build is not None
    assert dict(build.args) == {"PIP_NO_CACHE_DIR": "1", "TORCH_INDEX_URL": "https://example.org/cpu"}


def test_doctor_shows_the_build_variables_with_their_origin(world: World, capsys: Captured) -> None:
    world.ports.environment = {**world.ports.environment, "TORCH_CPU_ONLY": "1"}
    assert world.run("doctor", "--settings", "--json") == 0

    shown = {each["key"]: each for each in json.loads(capsys.readouterr().out)["settings"]}
    assert (shown["PIP_NO_CACHE_DIR"]["value"], shown["PIP_NO_CACHE_DIR"]["origin"]) == ("1", "default")
    assert shown["TORCH_CPU_ONLY"]["origin"] == "environment (TORCH_CPU_ONLY)"
    assert shown["DOCKER_BUILDKIT"]["value"] == "1"
