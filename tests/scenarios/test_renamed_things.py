"""Intent: services go together to a network of another name, and another volume is another version.

Steps: deploy two services on a network with a volume; name both otherwise; deploy; go back; run plain Compose.
State checked: what Compose would recreate, networks and volumes of the containers, what is in the volume.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.driving import QUICK

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine


@pytest.mark.long("it deploys five times; test_changed_network.py goes the same way")
def test_services_move_to_what_is_named_otherwise_and_the_data_comes_back(project: Project) -> None:
    engine = project.engine

    def of(service: str) -> tuple[list[str], list[str]]:
        attributes = engine.client.containers.get(engine.container(service).id).attrs
        return [*attributes["NetworkSettings"]["Networks"]], [each["Name"] for each in attributes["Mounts"]]

    def write(name: str) -> None:
        named = f"{project.name}-{name}"
        project.top = {**project.top, "networks": {"back": {"name": named}}, "volumes": {"data": {"name": named}}}
        project.write()

    on: dict[str, Any] = {"image": "busybox:latest", "command": ["sleep", "100000"], "networks": ["back"], **QUICK}
    project.services = {"db": {**on, "volumes": ["data:/kept"]}, "aside": dict(on)}
    write("one")
    project.deploy()
    engine.client.containers.get(engine.container("db").id).exec_run(["touch", "/kept/it"])

    write("two")
    project.deploy()
    named = f"{project.name}-two"
    assert (of("db"), of("aside")) == (([named], [named]), ([named], []))
    project.deploy()
    assert project.step_names() == []
    there = [engine.container(each).id for each in ("db", "aside")]
    project.compose("up", "-d")
    assert [engine.container(each).id for each in ("db", "aside")] == there

    assert project.tonnage("rollback", "db").exit_code == 0
    assert of("db") == ([named], [f"{project.name}-one"])
    assert engine.client.containers.get(engine.container("db").id).exec_run(["ls", "/kept"]).output == b"it\n"
