"""Whether one runner builds all services of a stack on every push follows from their forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML
from tests.ci.programs import program
from tests.ci.runner import Runner
from tests.unit.cli.simulated_ports import make_world

from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

    from tonnage.adapters.interface import EngineFacts

COMPOSE = """name: fleet
x-tonnage: {keep-free: 1MB}
services:
  web: {build: ./web, image: registry.example.org/web}
  worker: {build: ./worker}
  api: {build: ./api, image: registry.example.org/api}
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Three services of 1 MB each, two of which are pushed."""
    found = make_world(tmp_path, compose=COMPOSE)
    (tmp_path / ".git").mkdir()
    for name in ("web", "worker", "api"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "Dockerfile").write_text(f"FROM scratch\nCOPY big /{name}\n")
        with (tmp_path / name / "big").open("wb") as file:
            file.truncate(1_000_003)

    def look_up(facts: EngineFacts | None, offline: bool) -> RealLookups:  # noqa: FBT001 - called so
        del facts
        return RealLookups({}, tmp_path / "cache", offline=offline)

    found.ports.looks_up = look_up
    return found


def jobs(world: World) -> dict[str, Any]:
    text = (world.directory / ".github" / "workflows" / "docker-deploy.yml").read_text()
    found: dict[str, Any] = YAML(typ="safe").load(text)["jobs"]
    return found


def test_what_fits_one_runner_is_built_in_one_job(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.run("ci", "github", "--write") == 0

    assert "one job builds all services, one after the other: they need " in capsys.readouterr().err
    assert "strategy" not in jobs(world)["build"]
    # Without a forecast it stays as it was written.
    assert world.run("ci", "github", "--check") == 0

    log = tmp_path / "log"
    (tmp_path / "bin").mkdir()
    for name in ("tonnage", "docker", "pipx", "sudo", "jq"):
        program(tmp_path / "bin" / name, f'echo {name} "$@" >> {log}; echo an-image')
    (tmp_path / "temp").mkdir()
    environment = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    contexts: dict[str, Any] = {"vars": {}, "secrets": {}, "github": {"event_name": "push"}}
    runner = Runner(world.directory, tmp_path / "temp", environment, contexts)
    file = world.directory / ".github" / "workflows" / "docker-deploy.yml"
    runner.workflow(file)
    called = [line.partition(" --events")[0] for line in log.read_text().splitlines()]
    assert "tonnage build --push --cleanup-after web api" in called
    assert "tonnage build --cleanup-after worker" in called
    log.unlink()
    runner.contexts["github"] = {"event_name": "pull_request"}
    runner.workflow(file)
    assert "tonnage build --cleanup-after web api --events" in log.read_text()


def test_what_does_not_fit_one_runner_has_a_job_for_each_service(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.run("ci", "github", "--write", "--runner-disk", "3MB") == 0

    assert "each service on its own runner" in capsys.readouterr().err
    assert [each["service"] for each in jobs(world)["build"]["strategy"]["matrix"]["include"]] == [
        "web",
        "worker",
        "api",
    ]
