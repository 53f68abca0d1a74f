"""Intent: whoever ends a deploy, politely or not, finds the services as they were and can deploy again at once.

Steps: send a signal in the middle of a build, of a proof, of a switch-over; deploy again.
State checked: exit code, processes of this machine, containers, images, the journal.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from tests.real_engine import BUSYBOX
from tests.scenarios.driving import CHECK, SERVES
from tests.scenarios.seeing import names_of, processes_with, without_records
from tests.scenarios.watching import page

from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

NEVER_SERVES = 'CMD ["sleep", "300"]'
FAILS = 'CMD ["false"]'


def asleep_in(project: Project) -> str:
    """Return a command for a Dockerfile that takes an hour; its process is known by the project's name."""
    return f": asleep-in-{project.name}; sleep 3601; true"


def at_step(project: Project, name: str) -> bool:
    """Return whether the newest run is at this step."""
    runs = project.runs()
    return bool(runs and runs[0].steps) and runs[0].steps[-1].name == name


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_a_build_ends_it_and_touches_no_service(
    project: Project, number: signal.Signals, exit_code: int
) -> None:
    project.web("web", "web 1")
    project.deploy()
    engine = project.engine
    before, first = engine.everything(), engine.container("web")
    project.web("web", "web 2", run=asleep_in(project))
    running = project.start("deploy")
    running.until(lambda: processes_with(f"asleep-in-{project.name}"), "the command of the build runs")
    running.signal(number)
    ended = running.wait()
    assert ended.exit_code == exit_code
    assert "stopped in web.build" in ended.stderr
    assert processes_with(project.name) == []
    assert engine.everything() == before
    run = project.runs()[0]
    assert run.outcome is Outcome.INTERRUPTED
    assert [step.outcome for step in run.steps] == [Outcome.INTERRUPTED]

    project.web("web", "web 2")
    project.deploy()
    assert engine.container("web").image != first.image
    assert project.runs()[0].outcome is Outcome.DONE


def test_what_a_killed_proof_left_is_removed_by_the_next_deploy(project: Project) -> None:
    project.web("web", "web 1", ports=["18087:8080"])
    project.deploy()
    engine = project.engine
    first = engine.container("web")
    project.web("web", "web 2", cmd=NEVER_SERVES, healthcheck={**CHECK, "start_period": "60s"})
    running = project.start("deploy")
    running.until(lambda: at_step(project, "web.prove-candidate"), "the new version is being proven")
    second = next(c for c in engine.containers("web") if c.id != first.id)
    running.kill()
    run = project.runs()[0]
    assert run.outcome is Outcome.INTERRUPTED
    assert run.steps[-1].outcome is Outcome.INTERRUPTED
    assert page(project.real.address, 18087) == "web 1"

    project.web("web", "web 3", healthcheck=CHECK)
    project.deploy()
    assert page(project.real.address, 18087) == "web 3"
    assert engine.container("web").id not in {first.id, second.id}
    assert second.image not in engine.images()
    assert engine.names_of_ours() == set()
    assert engine.kept("web") == [first.image, engine.container("web").image]


def test_a_version_whose_proof_was_killed_is_not_one_to_go_back_to(project: Project) -> None:
    engine = project.engine
    project.web("store", "store 1", volumes=["ledger:/data"])
    project.deploy()
    first = engine.container("store")
    project.web("store", "store 2", cmd=NEVER_SERVES, healthcheck={**CHECK, "start_period": "60s"})
    running = project.start("deploy")
    running.until(lambda: at_step(project, "store.prove"), "the new version is being proven in its place")
    running.kill()
    second = engine.container("store")
    assert second.image != first.image

    project.web("store", "store 3", cmd=FAILS)
    assert project.tonnage("deploy").exit_code == 5
    assert engine.container("store").image == first.image
    assert engine.health("store") == "healthy"

    project.web("store", "store 4", cmd=SERVES, healthcheck=CHECK)
    project.deploy()
    last = engine.container("store").image
    assert engine.kept("store") == [first.image, last]
    assert set(without_records(engine.images())) == {engine.image_id(BUSYBOX), first.image, last}


def test_a_signal_in_a_switch_over_brings_the_running_version_back(project: Project) -> None:
    # It does not hear SIGTERM, so that the switch-over takes as long as its grace period.
    slow = {"stop_signal": "SIGTERM", "stop_grace_period": "2s"}
    project.web("web", "web 1", ports=["18088:8080"], **slow)
    project.web("other", "other 1")
    project.deploy()
    engine = project.engine
    first, other, images = engine.container("web"), engine.container("other"), engine.images()
    project.web("web", "web 2", ports=["18088:8080"], **slow)
    running = project.start("deploy")
    running.until(lambda: at_step(project, "web.switch"), "the switch-over")
    running.signal(signal.SIGINT)
    ended = running.wait()
    assert ended.exit_code == 130
    assert "stopped in web.switch" in ended.stderr
    assert engine.container("other") == other
    assert engine.container("web").image == first.image
    assert engine.health("web") == "healthy"
    assert page(project.real.address, 18088) == "web 1"
    assert names_of(engine.images()) == names_of(images)
    assert processes_with(project.name) == []
    project.deploy()
    assert page(project.real.address, 18088) == "web 2"


@pytest.mark.long("the kills strike runs at any step, and services that go back together are tried in test_rollback.py")
def test_a_signal_after_one_of_two_services_that_belong_together_takes_it_back(project: Project) -> None:
    project.top["x-tonnage"] = {"rollback": "stack"}
    project.web("back", "back 1")
    project.web("front", "front 1", depends_on=["back"])
    project.deploy()
    engine = project.engine
    images = {name: engine.container(name).image for name in ("back", "front")}
    kept = {name: engine.kept(name) for name in images}
    front = engine.container("front")
    project.web("back", "back 2")
    project.web("front", "front 2", run=asleep_in(project))
    running = project.start("deploy")
    running.until(lambda: processes_with(f"asleep-in-{project.name}"), "the second service is built")
    assert engine.container("back").image != images["back"]
    running.signal(signal.SIGTERM)
    ended = running.wait()
    assert ended.exit_code == 143, ended.stderr
    assert "undone: " in ended.stderr
    assert {name: engine.container(name).image for name in images} == images
    assert engine.container("front") == front
    assert engine.health("back") == "healthy"
    assert {name: engine.kept(name) for name in images} == kept
    assert engine.names_of_ours() == set()
    project.web("front", "front 2", run="true")
    project.deploy()
    assert all(engine.container(name).image != images[name] for name in images)
