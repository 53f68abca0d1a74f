"""Intent: Compose and Tonnage take turns on one stack, and nothing is replaced that nobody changed.

Steps: deploy, then bring it up with Compose; bring it up with Compose, then deploy; change a setting; deploy another
stack of the same name; remove a service from the file.
State checked: containers, their labels, their environment, what is said.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.driving import QUICK

from tonnage.adapters.docker.tools import Tools
from tonnage.model.compose_labels import DIRECTORY, FILES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

NOT_HEALTHY = 5
SLEEPS = {"image": "busybox:latest", "command": ["sleep", "100000"], **QUICK}


def ids(project: Project) -> list[str]:
    return [seen.id for service in ("app", "web") for seen in project.engine.containers(service)]


def written(project: Project, level: str) -> None:
    """Write a stack of a service that is built and one that is only an image."""
    project.top["version"] = "3.8"
    project.services["app"] = {**SLEEPS, "environment": {"LEVEL": level}}
    project.web("web", "web 1", environment={"LEVEL": level}, depends_on=["app"])


@pytest.mark.each_engine
def test_after_a_deploy_compose_changes_nothing_and_sees_the_files_of_the_stack(project: Project) -> None:
    written(project, "1")
    project.deploy()
    before = ids(project)
    labels = project.engine.details("app")["Config"]["Labels"]
    assert not [name for name in labels if name.startswith("tonnage")]
    assert labels[FILES] == str(project.directory / "compose.yaml")
    assert labels[DIRECTORY] == str(project.directory)
    project.compose_as_written("up", "-d")
    assert ids(project) == before
    project.deploy()
    assert ids(project) == before
    # One that only stopped is started, and not made anew.
    project.docker("stop", "--time", "0", project.engine.container("app").name)
    project.deploy()
    assert ids(project) == before


def test_what_compose_started_is_taken_over_as_it_is_until_a_setting_changes(project: Project) -> None:
    written(project, "1")
    project.compose_as_written("up", "-d", "--build")
    before = ids(project)
    project.deploy()
    assert ids(project)[0] == before[0]
    # Only a builder that has the layers shows that the image is the same.
    if Tools(project.environment).compose_2 is not None:
        assert ids(project) == before
        assert not project.deploy().stdout
        assert ids(project) == before
    for level in ("2", "3"):
        written(project, level)
        project.deploy()
        for service in ("app", "web"):
            assert f"LEVEL={level}" in project.engine.details(service)["Config"]["Env"]
    assert not project.engine.names_of_ours()


def test_what_an_undo_restored_is_replaced_by_nobody_once_the_files_are_put_back(project: Project) -> None:
    written(project, "1")
    project.deploy()
    project.services["app"] = {**project.services["app"], "command": ["false"]}
    project.services["app"]["x-tonnage"] = {"stability": "500ms", "switch": "stop-first"}
    project.write()
    assert project.tonnage("deploy").exit_code == NOT_HEALTHY
    before = ids(project)
    written(project, "1")
    project.compose_as_written("up", "-d")
    assert ids(project) == before
    project.deploy()
    assert ids(project) == before
    assert project.step_names() == []


def test_images_of_services_in_profiles_stay_wherever_the_stack_was_read(project: Project, tmp_path: Path) -> None:
    project.web("backup", "backup", profiles=["tools"])
    project.services["app"] = SLEEPS
    project.write()
    file = project.directory / "compose.yaml"
    named = file.rename(file.with_name("prod.yml"))
    project.docker("build", "--quiet", "--tag", f"{project.name}-backup", str(project.directory / "backup"))
    if Tools(project.environment).compose_2 is None:
        project.docker("tag", f"{project.name}-backup", f"{project.name}_backup")
    project.deploy("-f", str(named))
    here, project.directory = project.directory, tmp_path
    told = json.loads(project.tonnage("reclaim", "--only", "image", "--json").stdout)
    project.directory = here
    kept = {each["name"]: each["reason"] for each in told["protected"]}
    assert f"backup of the stack {project.name} is run from it" in kept.values()
    assert not [each for each in told["chosen"] if "backup" in each["name"]]


def test_another_stack_of_the_same_name_is_left_alone_until_it_is_adopted(project: Project) -> None:
    project.services["app"] = {**SLEEPS, "environment": {"OWNER": "alice"}}
    project.write()
    project.deploy()
    before = ids(project)
    alice, project.directory = project.directory, project.directory / "bob"
    project.directory.mkdir()
    project.services["app"] = {**SLEEPS, "environment": {"OWNER": "bob"}}
    project.write()
    for command in ("plan", "deploy", "rollback"):
        refused = project.tonnage(command)
        assert refused.exit_code == 2, refused.stderr
        assert str(alice) in refused.stderr
        assert str(project.directory) in refused.stderr
    assert ids(project) == before
    # What changes nothing is not another stack.
    (project.directory / "compose.yaml").write_text((alice / "compose.yaml").read_text())
    project.deploy()
    assert ids(project) == before
    project.write()
    project.deploy("--adopt")
    assert "OWNER=bob" in project.engine.details("app")["Config"]["Env"]
    project.services["app"]["environment"] = {"OWNER": "robert"}
    project.write()
    project.deploy()
    assert "OWNER=robert" in project.engine.details("app")["Config"]["Env"]


def test_a_service_that_is_in_no_file_any_more_is_named_and_goes_when_that_is_asked_for(project: Project) -> None:
    project.services = {"app": dict(SLEEPS), "web": {**SLEEPS, "profiles": ["tools"]}}
    project.write()
    project.deploy("--profile", "tools")
    project.services["other"] = project.services.pop("app")
    project.write()
    told = project.deploy()
    assert f"app is in no file of the stack any more, and {project.engine.container('app').name} goes on running" in (
        told.stderr
    )
    notes = json.loads(project.tonnage("plan", "--json").stdout)["notes"]
    assert not [note for note in notes if note.startswith("web is in no file")]
    project.deploy("--remove-orphans")
    assert project.engine.containers("app") == []
    assert len(project.engine.containers("web")) == len(project.engine.containers("other")) == 1
