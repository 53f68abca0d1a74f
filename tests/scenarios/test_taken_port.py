"""Intent: a port that another container holds is named with its holder, and costs nobody a running service.

Steps: let another container publish a port; deploy a service that wants it, first fresh, then instead of another port.
State checked: containers, images, the pages that are served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.real_engine import BUSYBOX
from tests.scenarios.watching import page

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine


def test_a_taken_port_is_named_and_the_previous_version_runs_again(project: Project) -> None:
    engine = project.engine
    command = ["sh", "-c", "mkdir /www; echo -n squatter > /www/index.html; exec httpd -f -p 8080 -h /www"]
    engine.client.containers.run(
        BUSYBOX, command, name="squatter", ports={"8080/tcp": 18091}, detach=True, stop_signal="SIGKILL"
    )
    before = engine.everything()
    project.web("web", "web 1", ports=["18091:8080"])
    ended = project.tonnage("deploy")
    assert ended.exit_code == 10
    assert "port 18091" in ended.stderr
    assert "container squatter" in ended.stderr
    after = engine.everything()
    assert after["containers"] == before["containers"]
    assert after["images"] == before["images"]

    project.web("web", "web 1", ports=["18092:8080"])
    project.deploy()
    first = engine.container("web")
    project.web("web", "web 2", ports=["18091:8080"])
    ended = project.tonnage("deploy")
    assert ended.exit_code == 10
    assert "port 18091" in ended.stderr
    assert engine.container("web").image == first.image
    assert engine.health("web") == "healthy"
    assert page(project.real.address, 18092) == "web 1"
    assert page(project.real.address, 18091) == "squatter"
