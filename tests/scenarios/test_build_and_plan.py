"""Intent: building alone deploys nothing, planning alone changes nothing, a saved plan is carried out exactly.

Steps: build; build and clean up; plan; deploy a saved plan, a stale one, and a file that is no plan.
State checked: everything that is on the engine, the journal, the plan file.
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
def test_build_makes_images_and_cleaning_up_after_it_removes_only_what_it_made(project: Project) -> None:
    engine = project.engine
    project.web("web", "web 1")
    ended = project.tonnage("build")
    assert ended.exit_code == 0, ended.stderr
    built = engine.image_id(f"{project.name}-web:latest")
    assert built
    assert engine.client.containers.list(all=True) == []
    assert engine.names_of_ours() == set()

    before, cache = engine.everything(), engine.cache()
    project.web("worker", "worker 1", run="head -c 5000011 /dev/urandom > /big")
    ended = project.tonnage("build", "--cleanup-after", "worker")
    assert ended.exit_code == 0, ended.stderr
    assert project.step("worker.build").measured[0].kept_bytes >= 5_000_011
    assert engine.everything() == before
    assert engine.cache() == cache

    # What was built only has to be brought up.
    project.deploy("web")
    assert engine.container("web").image == built
    assert "web.build" not in project.step_names()


@pytest.mark.each_engine
def test_a_plan_changes_nothing_and_a_saved_one_is_carried_out_exactly(project: Project) -> None:
    engine = project.engine
    project.web("web", "web 1", ports=["18090:8080"])
    project.web("other", "other 1")
    before = engine.everything()
    planned = project.tonnage("plan", "--json", "web")
    assert planned.exit_code == 0, planned.stderr
    saved = project.tonnage("plan", "--out", "plan.json", "web")
    assert saved.exit_code == 0, saved.stderr
    assert engine.everything() == before
    assert engine.cache() == {}
    assert not project.state.exists()
    file = project.directory / "plan.json"
    assert file.stat().st_mode & 0o777 == 0o600

    project.deploy("--plan", "plan.json")
    steps = [step["name"] for step in json.loads(file.read_text())["plan"]["steps"]]
    assert project.step_names() == steps
    assert page(project.real.address, 18090) == "web 1"
    assert engine.containers("other") == []


def test_a_stale_plan_and_a_file_that_is_none_are_refused(project: Project) -> None:
    engine = project.engine
    project.web("web", "web 1")
    assert project.tonnage("plan", "--out", "plan.json").exit_code == 0
    before = engine.everything()
    (project.directory / "web" / "index.html").write_text("web 2")
    ended = project.tonnage("deploy", "--plan", "plan.json")
    assert ended.exit_code == 8
    assert "changed since it was made" in ended.stderr
    (project.directory / "plan.json").write_text('{"services": []}')
    assert project.tonnage("deploy", "--plan", "plan.json").exit_code == 2
    assert engine.everything() == before
    assert project.runs() == ()
