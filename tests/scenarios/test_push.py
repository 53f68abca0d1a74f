"""Intent: in CI each image is built, pushed and removed before the next.

Steps: start a registry where the engine reaches it on its own loopback; build two services with push and clean-up.
State checked: the registry's files, everything that is on the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.docker_registry import needs_registry, registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

pytestmark = [pytest.mark.engine, needs_registry]

ADDRESS = "127.0.0.1:18095"


@pytest.fixture
def repositories(engine: RealEngine, tmp_path: Path) -> Iterator[Path]:
    """Start a registry in the engine's network. Yields where it keeps its images."""
    with registry(tmp_path, ADDRESS, engine.netns):
        yield tmp_path / "images" / "docker" / "registry" / "v2" / "repositories"


def test_each_image_is_built_pushed_and_removed(project: Project, repositories: Path) -> None:
    engine = project.engine
    before = engine.everything()
    for name in ("web", "worker"):
        project.web(name, f"{name} 1", image=f"{ADDRESS}/fleet/{name}:1.7")
    ended = project.tonnage("build", "--push", "--cleanup-after")
    assert ended.exit_code == 0, ended.stderr
    for name in ("web", "worker"):
        assert (repositories / "fleet" / name / "_manifests" / "tags" / "1.7").is_dir()
    assert engine.everything() == before
    assert engine.cache() == {}
    assert project.step_names() == [
        f"{name}.{step}" for name in ("web", "worker") for step in ("build", "push", "remove-image", "clean")
    ]


def test_a_registry_that_is_not_there_is_told(project: Project) -> None:
    reference = "127.0.0.1:9/fleet/web:1.7"
    project.web("web", "web 1", image=reference)
    ended = project.tonnage("build", "--push")
    assert ended.exit_code == 10
    assert reference in ended.stderr
    assert project.engine.image_id(reference)
