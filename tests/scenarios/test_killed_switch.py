"""Intent: what Compose was replacing when it was killed is in nobody's way, and what is gone back to is never removed.

Steps: leave a container as Compose does; deploy another version. Deploy with Compose in between; fail; deploy.
State checked: exit codes, containers, images, what can be gone back to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.seeing import processes_with

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine


def half_replaced(project: Project, service: str) -> str:
    """Leave another container of a service as Compose 1 leaves the one that it replaces; return its id."""
    details = project.engine.details(service)
    container: Any = project.real.client.containers.create(details["Image"], labels=details["Config"]["Labels"])
    container.rename(f"{container.id[:12]}_{details['Name'].lstrip('/')}")
    return str(container.id)


def test_a_container_that_was_being_replaced_goes_first_and_fails_no_proof(project: Project) -> None:
    project.web("web", "web 1")
    project.deploy()
    left = half_replaced(project, "web")
    assert project.tonnage("verify").exit_code == 0
    project.web("web", "web 2")
    project.deploy()
    assert project.step_names()[0] == "web.remove-half-replaced"
    assert left not in {each.id for each in project.engine.containers("web")}
    assert project.engine.container("web").state == "running"


def test_the_only_container_under_such_a_name_gets_its_own_again_and_keeps_its_volumes(project: Project) -> None:
    project.web("web", "web 1", volumes=["/kept"])
    project.deploy()
    engine = project.engine
    name = engine.container("web").name
    container: Any = project.real.client.containers.get(engine.container("web").id)
    container.exec_run(["sh", "-c", "echo written > /kept/file"])
    container.stop(timeout=0)
    container.rename(f"{container.id[:12]}_{name}")
    project.deploy()
    seen = engine.container("web")
    assert (seen.name, seen.state) == (name, "running")
    told = project.real.client.containers.get(seen.id).exec_run(["cat", "/kept/file"])
    assert told.output == b"written\n"


def test_a_version_that_compose_started_in_between_costs_none_that_is_needed(project: Project) -> None:
    engine = project.engine
    for number in (0, 1):
        project.web("web", f"web {number}")
        project.deploy()
    project.web("web", "web 2")
    project.compose("up", "-d", "--build")
    between = engine.container("web").image
    project.web("web", "web 3", cmd='CMD ["false"]')
    assert project.tonnage("deploy").exit_code == 5
    assert engine.container("web").image == between
    project.web("web", "web 4", cmd='CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]')
    project.deploy()
    assert engine.health("web") == "healthy"
    ended = project.tonnage("rollback")
    assert ended.exit_code == 0, ended.stderr
    assert engine.container("web").image == between
    assert processes_with(project.name) == []
