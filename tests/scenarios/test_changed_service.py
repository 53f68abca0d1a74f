"""Intent: only what changed is built and replaced; one earlier image is kept; nothing of anybody else is touched.

Steps: deploy two services beside things of other people; change one service twice.
State checked: containers, images with their names, volumes, the pages that are served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.real_engine import BUSYBOX
from tests.scenarios.seeing import without_records
from tests.scenarios.watching import page

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine


def things_of_others(project: Project) -> None:
    """Leave on the engine what a careless clean-up takes for rubbish."""
    client = project.real.client
    labels = {"com.docker.compose.project": "elsewhere", "com.docker.compose.service": "web"}
    client.containers.create(BUSYBOX, ["true"], name="elsewhere_web_1", labels=labels)
    client.volumes.create("archive")
    for name in ("unrelated", "dangling"):
        container = client.containers.create(BUSYBOX, ["true"], labels={"for": name})
        container.commit(repository=name if name == "unrelated" else None, tag="1" if name == "unrelated" else None)
        container.remove()


def test_only_the_changed_service_is_replaced_and_exactly_the_oldest_image_goes(project: Project) -> None:
    things_of_others(project)
    project.web("web", "web 1", ports=["18084:8080"])
    project.web("other", "other 1")
    project.deploy()
    engine = project.engine
    first, other, bystanders = engine.container("web"), engine.container("other"), engine.everything()

    project.web("web", "web 2", ports=["18084:8080"])
    project.deploy()
    second = engine.container("web")
    assert page(project.real.address, 18084) == "web 2"
    assert second.id != first.id
    assert engine.container("other") == other
    assert not any(name.startswith("other.") for name in project.step_names())
    assert engine.kept("web") == [first.image, second.image]
    assert engine.names_of_ours() == set()
    images = without_records(engine.images())
    assert set(images) == {*without_records(bystanders["images"]), second.image}

    project.web("web", "web 3", ports=["18084:8080"])
    project.deploy()
    third = engine.container("web")
    assert page(project.real.address, 18084) == "web 3"
    assert engine.container("other") == other
    assert engine.kept("web") == [second.image, third.image]
    assert engine.names_of_ours() == set()
    assert set(without_records(engine.images())) == set(images) - {first.image} | {third.image}
    after = engine.everything()
    assert after["volumes"] == bystanders["volumes"]
    assert after["networks"] == bystanders["networks"]
    assert after["containers"] - {third} == bystanders["containers"] - {first}
