"""Intent: keys of newer versions of Compose do what they do with Compose, or are refused before anything is made.

Steps: deploy a service with a hook, an inline config and a named interface; once more with what is never carried out.
State checked: what the hook left, the interface, exit codes, what is said, that there is no container.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.driving import QUICK

from tonnage.adapters.docker.tools import Tools

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = [pytest.mark.engine, pytest.mark.each_engine]

HOOKED = {
    "image": "busybox:latest",
    "command": ["sleep", "100000"],
    **QUICK,
    "post_start": [{"command": ["touch", "/hooked"]}],
    "pre_stop": [{"command": ["true"]}],
    "configs": [{"source": "inline", "target": "/etc/inline.conf"}],
    "networks": {"default": {"interface_name": "eth7"}},
}
NEEDED = {"post_start": "2.30.0", "pre_stop": "2.30.0", "interface_name": "2.36.0"}


def test_keys_of_newer_versions_work_or_are_refused_with_the_version_that_knows_them(project: Project) -> None:
    compose = Tools(project.environment).need_compose()
    found = tuple(map(int, compose.version.split("-")[0].split(".")))
    project.services["app"] = HOOKED
    if compose.generation > 1:
        (project.directory / "some.labels").write_text("L=1\n")
        project.services["app"] = {**HOOKED, "label_file": "some.labels"}
    project.top["configs"] = {"inline": {"content": "a=b"}}
    project.write()
    known = {key: found >= tuple(map(int, needed.split("."))) for key, needed in NEEDED.items()}
    if all(known.values()):
        project.deploy()
        before = project.engine.container("app").id
        assert project.engine.details("app")["Config"]["Labels"]["L"] == "1"
        assert project.docker("exec", before, "ls", "/hooked", "/sys/class/net/eth7/mtu")
        assert project.docker("exec", before, "cat", "/etc/inline.conf") == "a=b"
        project.compose("up", "-d")
        assert project.engine.container("app").id == before
    else:
        for key in ("interface_name", "post_start"):
            refused = project.tonnage("deploy")
            assert refused.exit_code == 2, refused.stderr
            assert f"{key} needs Docker Compose {NEEDED[key]}" in refused.stderr
            assert compose.version in refused.stderr
            project.services["app"] = {**HOOKED, "networks": {"default": None}}
            project.write()
        assert project.engine.containers("app") == []


def test_what_another_program_would_start_is_refused_with_the_reason(project: Project) -> None:
    project.services["db"] = {"provider": {"type": "cloud"}}
    project.write()
    refused = project.tonnage("plan")
    assert refused.exit_code == 2, refused.stderr
    compose = Tools(project.environment).compose_2
    if compose is None or compose.version.startswith("2.40"):
        assert "outside of the engine" in refused.stderr
    else:
        assert "services.db.provider needs Docker Compose 2.36.0" in refused.stderr
