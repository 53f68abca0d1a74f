"""Intent: an engine behind ssh is deployed to like one here; its disk and its containers are looked at there.

Steps: deploy two services over a real ssh connection, one with a probe; look; change one; deploy; go back.
State checked: containers and images of the engine, the disk that was measured, what is left of connections.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.seeing import processes_with
from tests.ssh_server import WHY_NONE, ssh_server

from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.scenarios.driving import Project

PROBED: dict[str, Any] = {"x-tonnage": {"probe": {"port": 8080, "path": "/"}, "stability": "500ms"}}
pytestmark = [pytest.mark.engine, pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)]


@pytest.fixture
def host(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    where = tmp_path / "ssh"
    where.mkdir()
    with ssh_server(where, project.real.endpoint, address=project.real.address, netns=project.real.netns) as address:
        monkeypatch.setitem(project.real.environment, "PATH", f"{where}/bin:{os.environ['PATH']}")
        yield address


def test_a_stack_is_deployed_over_ssh_and_its_disk_is_measured_there(project: Project, host: str) -> None:
    project.web("web", "web 1", **PROBED)
    project.web("job", "job 1")
    first = project.tonnage("deploy", "-H", host)
    assert first.exit_code == 0, first.stderr
    run = project.runs()[0]
    assert run.outcome is Outcome.DONE
    assert run.filesystem == project.real.mount
    assert all(step.measured[0].mount == project.real.mount for step in run.steps)
    assert all(step.measured[0].samples >= 2 for step in run.steps)
    project.web("web", "web 2", **PROBED)
    second = project.tonnage("deploy", "-H", host)
    assert second.exit_code == 0, second.stderr
    assert {step.service for step in project.runs()[0].steps} == {"web"}
    assert project.tonnage("verify", "-H", host).exit_code == 0
    back = project.tonnage("rollback", "web", "-H", host)
    assert back.exit_code == 0, back.stderr


def test_two_runs_over_ssh_exclude_each_other_also_from_one_on_the_machine_itself(project: Project, host: str) -> None:
    project.web("web", "web 1", run=f": asleep-in-{project.name}; sleep 3601; true")
    running = project.start("deploy", "-H", host)
    running.until(lambda: processes_with(f"asleep-in-{project.name}"), "the build")
    assert project.tonnage("deploy", "-H", host).exit_code == 9
    assert project.tonnage("deploy").exit_code == 9
    running.end()
