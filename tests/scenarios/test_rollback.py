"""Intent: one command goes back to the version before, image and configuration, without a build.

Steps: deploy two versions that differ in both; roll back; roll back again; deploy again. The same with an image whose
name moved, from the journal of another machine, after a version that Compose started, with a service that is stopped
first, and with services that belong together.
State checked: the page, the environment of the container, images, the journal.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.driving import QUICK, SERVES
from tests.scenarios.seeing import without_records
from tests.scenarios.watching import page

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine


@pytest.mark.each_engine
def test_rollback_goes_back_once_and_the_next_deploy_goes_forward(project: Project) -> None:
    engine = project.engine
    project.web("web", "web 1", ports=["18089:8080"], environment={"THREADS": "7"})
    project.deploy()
    first = engine.container("web")
    project.web("web", "web 2", environment={"THREADS": "11"})
    project.deploy()
    second = engine.container("web")

    ended = project.tonnage("rollback")
    assert ended.exit_code == 0, ended.stderr
    back = engine.container("web")
    assert back.image == first.image
    assert "THREADS=7" in engine.details("web")["Config"]["Env"]
    assert page(project.real.address, 18089) == "web 1"
    assert engine.health("web") == "healthy"
    assert not any(name.endswith(".build") for name in project.step_names())

    again = project.tonnage("rollback")
    assert again.exit_code == 0, again.stderr
    assert "no earlier good version is known" in again.stderr
    assert engine.container("web") == back

    refused = project.tonnage("deploy")
    assert refused.exit_code == 2
    assert "web was rolled back from v2, and this is v2 again" in refused.stderr
    assert engine.container("web") == back

    project.deploy("--again")
    assert page(project.real.address, 18089) == "web 2"
    assert "THREADS=11" in engine.details("web")["Config"]["Env"]
    assert engine.container("web").image == second.image
    assert not any(name.endswith(".build") for name in project.step_names())
    assert engine.names_of_ours() == set()
    assert engine.kept("web") == [first.image, second.image]


def test_a_version_that_ended_after_it_was_proven_is_not_gone_back_to(project: Project) -> None:
    project.services["web"] = {"image": "busybox:latest", "command": ["sleep", "100000"], **QUICK}
    project.write()
    project.deploy()
    project.services["web"]["command"] = ["sleep", "5"]
    project.write()
    project.deploy()
    client, ended = project.engine.client, project.engine.container("web")
    client.containers.get(ended.id).wait(timeout=60)

    assert project.tonnage("rollback").exit_code == 0
    assert project.engine.container("web").state == "running"
    assert project.engine.details("web")["Config"]["Cmd"] == ["sleep", "100000"]


def named(project: Project, name: str, text: str, cmd: str = SERVES) -> str:
    """Build an image as others do, let a name that the stack uses name it, and return its id."""
    context = project.directory / "theirs"
    context.mkdir(exist_ok=True)
    (context / "index.html").write_text(text)
    (context / "Dockerfile").write_text(f"FROM busybox:latest\nCOPY index.html /www/index.html\n{cmd}\n")
    project.docker("build", "--quiet", "--tag", name, "./theirs")
    return project.engine.image_id(name)


def page_inside(project: Project, service: str) -> str:
    """Return the page that the only container of a service has."""
    return project.docker("exec", project.engine.container(service).id, "cat", "/www/index.html")


def pulled(project: Project, threads: str, *, stop_first: bool = False) -> str:
    """Write a stack of one service that is only an image, and return its name."""
    name = f"127.0.0.1:1/{project.name}/app:latest"
    settings = {"stability": "500ms", **({"switch": "stop-first"} if stop_first else {})}
    project.services["app"] = {**QUICK, "image": name, "environment": {"THREADS": threads}, "x-tonnage": settings}
    project.write()
    return name


@pytest.mark.parametrize(
    "stop_first",
    [
        pytest.param(False, id="start-first", marks=pytest.mark.long("the other one goes the same way")),
        pytest.param(True, id="stop-first", marks=pytest.mark.each_engine),
    ],
)
def test_an_image_whose_name_moved_is_gone_back_to_with_its_configuration(
    project: Project, *, stop_first: bool
) -> None:
    engine = project.engine
    name = pulled(project, "7", stop_first=stop_first)
    one = named(project, name, "one")
    project.deploy()
    two = named(project, name, "two")
    pulled(project, "11", stop_first=stop_first)
    project.deploy()
    assert page_inside(project, "app") == "two"

    # A version that is not healthy gives its place back to the image that ran, not to what has the name.
    named(project, name, "bad", 'CMD ["sh", "-c", "exit 3"]')
    pulled(project, "13", stop_first=stop_first)
    failed = project.tonnage("deploy")
    assert failed.exit_code == 5, failed.stderr
    assert (page_inside(project, "app"), engine.container("app").image) == ("two", two)
    assert "THREADS=11" in engine.details("app")["Config"]["Env"]

    # Another machine has another journal, and knows the same.
    project.state = project.state.with_name("another")
    back = project.tonnage("rollback")
    assert back.exit_code == 0, back.stderr
    assert (page_inside(project, "app"), engine.container("app").image) == ("one", one)
    assert "THREADS=7" in engine.details("app")["Config"]["Env"]
    listed = json.loads(project.tonnage("rollback", "--list", "--json").stdout)["versions"]
    assert [(each["version"], each["runs"], each["withdrawn"]) for each in listed] == [
        ("v3", True, False),
        ("v2", False, True),
    ]
    project.docker("tag", two, name)
    pulled(project, "11", stop_first=stop_first)
    assert project.tonnage("deploy").exit_code == 2
    to = project.tonnage("rollback", "--to", "v2")
    assert to.exit_code == 0, to.stderr
    assert page_inside(project, "app") == "two"


def test_a_version_that_compose_started_is_gone_back_to_after_the_first_deploy(project: Project) -> None:
    name = pulled(project, "7")
    one = named(project, name, "one")
    started = project.compose("up", "-d")
    assert project.engine.container("app").image == one, started
    project.services["app"]["image"] = f"{name}-two"
    project.write()
    named(project, f"{name}-two", "two")
    project.deploy()
    assert page_inside(project, "app") == "two"
    plan = project.tonnage("plan", "--rollback")
    assert "rollback to v1, with the present configuration" in plan.stdout
    back = project.tonnage("rollback")
    assert back.exit_code == 0, back.stderr
    assert page_inside(project, "app") == "one"


def test_as_many_versions_are_kept_as_are_asked_for_and_each_can_be_gone_back_to(project: Project) -> None:
    project.top["x-tonnage"] = {"keep-versions": 2}
    images = []
    for number in range(1, 5):
        project.web("web", f"web {number}")
        project.deploy()
        images.append(project.engine.container("web").image)
    assert project.engine.kept("web") == images[1:]
    assert images[0] not in project.engine.images()
    back = project.tonnage("rollback", "--to", "v2")
    assert back.exit_code == 0, back.stderr
    assert project.engine.container("web").image == images[1]
    assert project.engine.kept("web", withdrawn=True) == images[2:]
    assert project.tonnage("rollback", "--to", "v9").exit_code == 2


def test_services_that_belong_together_go_back_together(project: Project) -> None:
    engine = project.engine
    project.top["x-tonnage"] = {"rollback": "stack"}
    project.web("base", "base 1")
    project.web("web", "web 1", depends_on=["base"])
    project.deploy()
    before = {service: engine.container(service).image for service in ("base", "web")}
    kept = without_records(engine.images())
    project.web("base", "base 2")
    project.web("web", "web 2", cmd='CMD ["sh", "-c", "exit 3"]')
    failed = project.tonnage("deploy")
    assert failed.exit_code == 5, failed.stderr
    assert {service: engine.container(service).image for service in ("base", "web")} == before
    assert engine.health("base") == engine.health("web") == "healthy"
    assert without_records(engine.images()) == kept
    undone = [step.name for step in project.runs()[0].steps if step.undo]
    assert undone[-4:-1] == ["base.restore", "base.prove-restored", "base.good"]

    project.web("web", "web 3", cmd=SERVES)
    project.deploy()
    assert (page_inside(project, "base"), page_inside(project, "web")) == ("base 2", "web 3")
