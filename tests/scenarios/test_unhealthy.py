"""Intent: a version that is not healthy never takes the place of one that is, or gives it back.

Steps: deploy a good version, then a bad one: bad at once, bad only in its place, bad on top of data.
State checked: what the port answers all the time, containers, images, the data, how many ran on it at a time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.driving import CHECK
from tests.scenarios.seeing import names_of
from tests.scenarios.watching import page, ran_at_once, watching

from tonnage.model.compose_labels import CONFIG_HASH
from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

SERVES_NOT = 'CMD ["sh", "-c", "echo forty-three tensors are missing; sleep 300"]'


def test_while_a_new_version_fails_beside_it_the_old_one_answers_throughout(project: Project) -> None:
    project.web("web", "web 1", ports=["18085:8080"])
    project.deploy()
    engine = project.engine
    before = engine.everything()
    project.web("web", "web 2", cmd=SERVES_NOT)
    with watching(lambda: page(project.real.address, 18085)) as answers:
        ended = project.tonnage("deploy")
    assert ended.exit_code == 5
    assert "forty-three tensors are missing" in ended.stderr
    # It was asked all the time: 20 times a second, less often on a machine that does something else.
    assert len(answers.seen) >= 20
    assert [answer for answer in answers.seen if answer != "web 1"] == []
    assert engine.everything() == before
    assert project.runs()[0].outcome is Outcome.FAILED
    assert project.step("web.prove-candidate").outcome is Outcome.FAILED
    assert "web.switch" not in project.step_names()


def test_a_version_that_fails_only_in_its_place_gives_it_back(project: Project) -> None:
    project.web("web", "web 1", ports=["18086:8080"])
    project.deploy()
    engine = project.engine
    first, labels, images = engine.container("web"), engine.details("web")["Config"]["Labels"], engine.images()
    # Beside the running version this check asks that one; in its place it asks nobody.
    asks_by_name = {**CHECK, "test": ["CMD", "wget", "-q", "-O", "/dev/null", "http://web:8080/"]}
    project.web("web", "web 2", cmd=SERVES_NOT, healthcheck=asks_by_name)
    ended = project.tonnage("deploy")
    assert ended.exit_code == 5
    assert "forty-three tensors are missing" in ended.stderr
    assert project.step("web.prove-candidate").outcome is Outcome.DONE
    assert project.step("web.prove").outcome is Outcome.FAILED
    assert engine.container("web").image == first.image
    assert engine.details("web")["Config"]["Labels"][CONFIG_HASH] == labels[CONFIG_HASH]
    assert engine.health("web") == "healthy"
    assert page(project.real.address, 18086) == "web 1"
    # What is known of the version is written down anew, with the containers that it has now.
    assert names_of(engine.images()) == names_of(images)
    assert engine.image_id(f"{project.name}-web:latest") == first.image


def test_a_failing_version_on_a_volume_is_never_there_together_with_the_good_one(project: Project) -> None:
    engine = project.engine
    project.web("store", "store 1", volumes=["ledger:/data"])
    project.deploy()
    first = engine.container("store")
    engine.client.containers.get(first.id).exec_run(["sh", "-c", "echo 57 > /data/ledger"])
    project.web("store", "store 2")
    project.deploy()
    second, images = engine.container("store"), engine.images()

    project.web("store", "store 3", cmd=SERVES_NOT)
    since_s = time.time()
    ended = project.tonnage("deploy")
    assert ended.exit_code == 5
    # The good one ends, the bad one starts and ends, the good one starts.
    counts = ran_at_once(project, since_s, 1)
    assert set(counts) == {0, 1}
    assert counts[-1] == 1
    assert counts.count(1) >= 3
    again = engine.container("store")
    assert (again.image, again.state) == (second.image, "running")
    assert engine.health("store") == "healthy"
    assert engine.client.containers.get(again.id).exec_run(["cat", "/data/ledger"]).output == b"57\n"
    assert [volume.name for volume in engine.client.volumes.list()] == [f"{project.name}_ledger"]
    # What could be gone back to before can be gone back to still.
    assert names_of(engine.images()) == names_of(images)
    assert engine.kept("store") == [first.image, second.image]
