"""Workflows written for one of the stacks, and what stands in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from tests.ci.stacks import STACKS
from tests.unit.cli.simulated_ports import make_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World


def written(tmp_path: Path, name: str) -> World:
    world = make_world(tmp_path, compose=STACKS[name])
    (tmp_path / "Dockerfile").write_text("FROM busybox:latest\n")
    (tmp_path / ".git").mkdir()
    assert world.run("ci", "github", "--write") == 0
    return world


def workflow_files(tmp_path: Path) -> list[Path]:
    found = sorted((tmp_path / ".github" / "workflows").iterdir())
    assert [path.name for path in found] == ["docker-deploy.yml", "sequential-deploy.yml"]
    return found


def runs(path: Path) -> Iterator[tuple[str, str]]:
    jobs: Any = YAML(typ="safe").load(path.read_text())["jobs"]
    for job in jobs.values():
        for step in job["steps"]:
            if "run" in step:
                yield step["name"], step["run"]
