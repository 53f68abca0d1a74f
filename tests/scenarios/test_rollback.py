"""Intent: one command goes back to the version before, image and configuration, without a build.

Steps: deploy two versions that differ in both; roll back; roll back again; deploy again.
State checked: the page, the environment of the container, images, the journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.watching import page

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine


@pytest.mark.each_engine
def test_rollback_goes_back_once_and_the_next_deploy_goes_forward(project: Project) -> None:
    engine = project.engine
    project.web("web", "web 1", ports=["18089:8080"], environment={"THREADS": "7"})
    project.deploy()
    first = engine.container("web")
    project.web("web", "web 2", environment={"THREADS": "11"})
    project.deploy()
    second = engine.container("web")

    ended = project.tonnage("rollback")
    assert ended.exit_code == 0, ended.stderr
    back = engine.container("web")
    assert back.image == first.image
    assert "THREADS=7" in engine.details("web")["Config"]["Env"]
    assert page(project.real.address, 18089) == "web 1"
    assert engine.health("web") == "healthy"
    assert not any(name.endswith(".build") for name in project.step_names())

    again = project.tonnage("rollback")
    assert again.exit_code == 0, again.stderr
    assert "no earlier good version is known" in again.stderr
    assert engine.container("web") == back

    project.deploy()
    assert page(project.real.address, 18089) == "web 2"
    assert "THREADS=11" in engine.details("web")["Config"]["Env"]
    assert engine.container("web").image == second.image
    assert not any(name.endswith(".build") for name in project.step_names())
    assert engine.names_of_ours() == {f"localhost/tonnage/{project.name}/web:previous"}
