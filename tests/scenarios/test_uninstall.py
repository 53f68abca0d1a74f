"""Intent: leaving removes what only Tonnage keeps, and nothing else; services run on.

Steps: deploy two versions; look at what would be removed; remove it; remove it again.
State checked: images, names, the running container and its page, the journal, the cache.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.watching import page

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine


@pytest.mark.each_engine
def test_what_only_tonnage_keeps_goes_and_the_service_runs_on(project: Project) -> None:
    engine = project.engine
    project.web("web", "web 1", ports=["18093:8080"])
    project.deploy()
    first = engine.container("web")
    project.web("web", "web 2", ports=["18093:8080"])
    project.deploy()
    second = engine.container("web")
    before = engine.images()
    assert engine.kept("web") == [first.image, second.image]

    shown = project.tonnage("uninstall")
    assert shown.exit_code == 0, shown.stderr
    assert "add --yes" in shown.stdout
    assert engine.images() == before

    done = project.tonnage("uninstall", "--yes", "--json")
    assert done.exit_code == 0, done.stderr
    traces = json.loads(done.stdout)["traces"]
    assert {each["state"] for each in traces} <= {"removed", "stays"}
    assert {each["kind"] for each in traces if each["state"] == "stays"} <= {"journal"}

    after = engine.images()
    assert not [name for names in after.values() for name in names if name.startswith("localhost/tonnage/")]
    assert first.image not in after
    assert second.image in after
    for image, names in after.items():
        assert names == {name for name in before[image] if not name.startswith("localhost/tonnage/")}
    assert engine.container("web") == second
    assert page(project.real.address, 18093) == "web 2"

    again = project.tonnage("uninstall", "--yes")
    assert again.exit_code == 0, again.stderr
    assert engine.container("web") == second
    # Without versions a deploy begins anew.
    project.deploy()
    assert page(project.real.address, 18093) == "web 2"
