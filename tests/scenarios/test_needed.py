"""Intent: what a stack needs and a deploy does not make is missed before anything is built.

Steps: plan, deploy and examine a stack whose network, volume and mounted file are missing; make them; deploy. Plan and
deploy one that needs a GPU and a runtime.
State checked: everything on the engine, what people are told, exit codes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine


def test_what_is_missing_is_told_before_anything_is_built_and_suffices_once_it_is_there(project: Project) -> None:
    client, network, volume = project.engine.client, f"{project.name}-net", f"{project.name}-vol"
    mount = {"type": "bind", "source": "./app.conf", "target": "/etc/app.conf"}
    project.top = {
        "networks": {"proxy": {"external": True, "name": network}},
        "volumes": {"ext": {"external": True, "name": volume}},
    }
    project.web("web", "page", networks=["proxy"])
    project.services["web"]["volumes"] = [{"type": "volume", "source": "ext", "target": "/ext"}, mount]
    write(project)
    before = project.engine.everything()
    for command in ("plan", "deploy", "doctor"):
        ended = project.tonnage(command)
        assert ended.exit_code == 2, (command, ended.stdout, ended.stderr)
    told = project.tonnage("deploy").stderr
    assert f"the external network {network}, which web needs, is not on this engine" in told
    assert f"  docker network create {network}" in told.splitlines()
    assert f"  docker volume create {volume}" in told.splitlines()
    assert "app.conf, which web needs, does not exist" in told.replace(" that is mounted at /etc/app.conf", "")
    assert project.engine.everything() == before

    client.networks.create(network)
    client.volumes.create(volume)
    (project.directory / "app.conf").write_text("x")
    project.deploy()
    assert project.engine.health("web") == "healthy"


def test_a_gpu_or_a_runtime_that_the_engine_does_not_have_is_missed_before_anything_is_built(project: Project) -> None:
    wanted = [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    project.web("web", "page", deploy={"resources": {"reservations": {"devices": wanted}}})
    project.web("job", "page", runtime="nvidia")
    before = project.engine.everything()
    for command in ("plan", "deploy"):
        ended = project.tonnage(command)
        assert ended.exit_code == 2, (command, ended.stdout, ended.stderr)
        assert "the GPU that web reserves cannot be given: this engine has no driver nvidia" in ended.stderr
        assert "the runtime nvidia, which job needs, is none of this engine's" in ended.stderr
    assert project.engine.everything() == before


def write(project: Project) -> None:
    """Write the compose file as it stands: its mounts are in the long form."""
    content = {"name": project.name, "services": project.services, **project.top}
    (project.directory / "compose.yaml").write_text(json.dumps(content))
