"""Intent: a service that lives in another one's network goes on answering, whatever happens to that one.

Steps: deploy both; deploy the owner of the network anew; restart it by hand; deploy a version that fails; roll back.
State checked: the page that is served through the owner's port, what verify says, the steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.driving import QUICK
from tests.scenarios.watching import page

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

PORT = 18093
SLEEPS = 'CMD ["sleep", "100000"]'


def test_the_page_in_anothers_network_is_there_after_every_way_to_replace_that_one(project: Project) -> None:
    address, engine = project.real.address, project.engine
    stop_first: dict[str, Any] = {**QUICK, "x-tonnage": {"stability": "500ms", "switch": "stop-first"}}
    project.web("gate", "1", cmd=SLEEPS, healthcheck={"disable": True}, ports=[f"{PORT}:8080"], **stop_first)
    project.web("inside", "page", network_mode="service:gate")
    project.deploy()
    assert page(address, PORT) == "page"

    project.web("gate", "2", cmd=SLEEPS)
    project.deploy("gate")
    assert page(address, PORT) == "page"
    assert [name for name in project.step_names() if name.startswith("inside.")] == [
        "inside.switch",
        "inside.prove",
        "inside.good",
    ]
    # Its version is known by its new container, although Compose counts the one whose network it has.
    assert "never verified" not in project.tonnage("rollback", "--list").stdout
    assert project.tonnage("verify").exit_code == 0
    project.deploy()
    assert project.step_names() == []

    engine.client.containers.get(engine.container("gate").id).restart(timeout=0)
    told = project.tonnage("verify")
    assert told.exit_code == 5
    assert "the network that it shares went when the container" in told.stdout + told.stderr
    project.deploy()
    assert page(address, PORT) == "page"

    project.web("gate", "3", cmd='CMD ["false"]')
    assert project.tonnage("deploy").exit_code == 5
    assert page(address, PORT) == "page"

    ended = project.tonnage("rollback")
    assert ended.exit_code == 0, ended.stderr
    assert page(address, PORT) == "page"
    assert project.tonnage("verify").exit_code == 0
