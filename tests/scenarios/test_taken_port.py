"""Intent: a port that is taken costs nobody a running service, and is told with who holds it.

Steps: let another container publish a port, or a program outside the engine listen on it; deploy a service that wants
it, first fresh, then instead of another port. Let two services of a stack change ports.
State checked: containers, images, the pages that are served.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.real_engine import BUSYBOX
from tests.scenarios.driving import QUICK
from tests.scenarios.watching import page

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

LISTEN = "import socket, sys; s = socket.create_server(('', 18091)); print('ready', flush=True); sys.stdin.read()"


def test_a_port_of_another_container_is_named_with_its_holder_before_anything_is_done(project: Project) -> None:
    engine = project.engine
    command = ["sh", "-c", "mkdir /www; echo -n squatter > /www/index.html; exec httpd -f -p 8080 -h /www"]
    engine.client.containers.run(
        BUSYBOX, command, name="squatter", ports={"8080/tcp": 18091}, detach=True, stop_signal="SIGKILL"
    )
    before = engine.everything()
    project.web("web", "web 1", ports=["18091:8080"])
    ended = project.tonnage("deploy")
    assert ended.exit_code == 2
    assert "publishes port 18091 of the host, which is taken" in ended.stderr
    assert "container squatter" in ended.stderr
    assert engine.everything() == before

    project.web("web", "web 1", ports=["18092:8080"])
    project.deploy()
    first = engine.container("web")
    project.web("web", "web 2", ports=["18091:8080"])
    assert project.tonnage("deploy").exit_code == 2
    assert engine.container("web") == first
    assert page(project.real.address, 18092) == "web 1"
    assert page(project.real.address, 18091) == "squatter"


def test_services_that_change_ports_with_each_other_are_told_before_one_of_them_is_stopped(project: Project) -> None:
    def written(first: int, second: int) -> None:
        for name, port in (("first", first), ("second", second)):
            command = ["sleep", "100000"]
            project.services[name] = {"image": BUSYBOX, "command": command, "ports": [f"{port}:8080"], **QUICK}
        project.write()

    written(18091, 18092)
    project.deploy()
    before = project.engine.everything()
    written(18092, 18091)
    ended = project.tonnage("deploy")
    assert ended.exit_code == 2
    holder = project.engine.container("second")
    assert f"It is held by the container {holder.name} of this stack, whose turn comes later." in ended.stderr
    assert project.engine.everything() == before

    project.engine.client.containers.get(holder.id).stop()
    project.deploy()
    bound = project.engine.details("first")["HostConfig"]["PortBindings"]["8080/tcp"]
    assert [each["HostPort"] for each in bound] == ["18092"]


def test_when_a_port_turns_out_to_be_taken_the_previous_version_runs_again(project: Project) -> None:
    engine = project.engine
    project.web("web", "web 1", ports=["18092:8080"])
    project.deploy()
    first = engine.container("web")
    project.web("web", "web 2", ports=["18091:8080"])
    inside = ["nsenter", f"--net=/run/netns/{project.real.netns}", sys.executable, "-c", LISTEN]
    with subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"
        ended = project.tonnage("deploy")
        program.communicate()
    assert ended.exit_code == 10
    assert "port 18091 of the host is taken" in ended.stderr
    assert "a program outside this engine" in ended.stderr
    assert engine.container("web").image == first.image
    assert engine.health("web") == "healthy"
    assert page(project.real.address, 18092) == "web 1"
