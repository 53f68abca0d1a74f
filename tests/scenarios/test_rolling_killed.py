"""Intent: a rollback of a rolling service that is killed while both its versions run is brought to its end by the next.

Steps: deploy a rolling service twice; go back; kill that in one of its steps; go back again.
State checked: containers, what they serve, which networks they are on, names of images, exit codes.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from tonnage.model.deploy.plan import Purpose

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = [pytest.mark.engine, pytest.mark.long("the kills strike runs at any step")]
ROLLING: dict[str, Any] = {"x-tonnage": {"stability": "1s", "switch": "rolling", "drain": "3s"}}


@pytest.mark.parametrize("step", ["start-rolling", "prove-rolling", "connect", "prove", "drain", "retire"])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_rollback_killed_while_both_versions_run_is_brought_to_its_end(
    project: Project,
    step: str,
    at_once: bool,  # noqa: FBT001 - pytest gives it by name
) -> None:
    project.top["networks"] = {"front": {}}
    for page in ("web 1", "web 2"):
        project.web("web", page, labels={"traefik.enable": "true"}, networks={"front": {}}, **ROLLING)
        project.deploy()
    old = project.engine.container("web").id
    running = project.start("rollback", "web")
    running.until(lambda: begun(project, f"web.{step}"), f"{step} begins")
    if step not in {"start-rolling", "retire"}:
        assert len(project.engine.containers("web")) == 2
    running.signal(signal.SIGKILL)
    if not at_once:
        running.wait()
    ended = project.tonnage("rollback", "web")
    assert ended.exit_code == 0, ended.stderr
    [container] = project.engine.containers("web")
    assert container.id != old
    assert shown(project) == "web 1"
    assert project.tonnage("verify").exit_code == 0
    # What was rolled away from is not brought back unremarked, and nothing is left to do for anybody.
    assert project.tonnage("deploy").exit_code == 2
    project.tonnage("rollback", "web")
    assert shown(project) == "web 1"


def begun(project: Project, name: str) -> bool:
    last = project.runs()[0]
    return last.purpose is Purpose.ROLLBACK and any(each.name == name for each in last.steps)


def shown(project: Project) -> str:
    container: Any = project.engine.client.containers.get(project.engine.container("web").id)
    return bytes(container.exec_run(["cat", "/www/index.html"]).output).decode()
