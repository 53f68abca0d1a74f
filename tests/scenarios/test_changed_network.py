"""Intent: a network that is written otherwise is made anew with all services on it, or everything is as it was.

Steps: deploy two services on a network; change the network; deploy one of them; deploy both; change the network and
one of them into what is not healthy; deploy; put all of that back; deploy.
State checked: what answers, the option of the network, anonymous volumes, containers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.driving import QUICK
from tests.scenarios.watching import page

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

PORT = 18094
MTU = "com.docker.network.driver.mtu"
REFUSED, NOT_HEALTHY = 2, 5


def test_a_changed_network_is_made_anew_with_all_that_is_on_it_or_not_at_all(project: Project) -> None:
    engine = project.engine

    def mtu() -> str:
        return str(engine.client.networks.get(f"{project.name}_back").attrs["Options"][MTU])

    def write(value: str) -> None:
        project.top = {**project.top, "networks": {"back": {"driver_opts": {MTU: value}}}}
        project.write()

    on: dict[str, Any] = {"networks": ["back"], **QUICK}
    project.web("web", "1", ports=[f"{PORT}:8080"], **on)
    project.services["aside"] = {"image": "busybox:latest", "command": ["sleep", "100000"], "volumes": ["/kept"], **on}
    write("1400")
    project.deploy()
    engine.client.containers.get(engine.container("aside").id).exec_run(["touch", "/kept/it"])

    write("1300")
    assert project.tonnage("deploy", "web").exit_code == REFUSED
    assert (page(project.real.address, PORT), mtu()) == ("1", "1400")
    project.deploy()
    assert (page(project.real.address, PORT), mtu()) == ("1", "1300")
    assert engine.client.containers.get(engine.container("aside").id).exec_run(["ls", "/kept"]).output == b"it\n"
    project.deploy()
    assert project.step_names() == []

    write("1200")
    project.services["aside"]["command"] = ["false"]
    project.write()
    assert project.tonnage("deploy").exit_code == NOT_HEALTHY
    assert (page(project.real.address, PORT), mtu()) == ("1", "1300")
    assert engine.client.containers.get(engine.container("aside").id).exec_run(["ls", "/kept"]).output == b"it\n"

    project.services["aside"]["command"] = ["sleep", "100000"]
    write("1300")
    project.deploy()
    assert project.step_names() == []
