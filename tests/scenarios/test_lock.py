"""Intent: one run at a time for each stack and engine; a run that dies in any way holds nothing any more.

Steps: start a deploy; start a second one; kill the first without a word; deploy again.
State checked: exit codes, what the second one is told, containers, names of images, processes, the journal.
"""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import pytest
from tests.real_engine import BUSYBOX
from tests.scenarios.seeing import processes_with, without_records
from tests.scenarios.watching import page, soon

from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine


def test_a_second_deploy_is_refused_until_the_first_one_is_gone(project: Project) -> None:
    project.web("web", "web 1", ports=["18094:8080"], run=f": asleep-in-{project.name}; sleep 3601; true")
    first = project.start("deploy")
    first.until(lambda: processes_with(f"asleep-in-{project.name}"), "the command of the build runs")
    second = project.tonnage("deploy")
    assert second.exit_code == 9
    assert f"Process {first.pid} of user {getpass.getuser()}" in second.stderr
    assert "has held it for" in second.stderr
    assert len(project.runs()) == 1

    first.kill()
    # The build must not come to an end later, when its image would take the name of the next one's.
    assert soon(lambda: not processes_with(project.name))
    project.web("web", "web 2", run="")
    project.deploy()
    engine = project.engine
    assert page(project.real.address, 18094) == "web 2"
    assert [run.outcome for run in project.runs()] == [Outcome.DONE, Outcome.INTERRUPTED]
    assert set(without_records(engine.images())) == {engine.image_id(BUSYBOX), engine.container("web").image}
    assert engine.names_of_ours() == set()
