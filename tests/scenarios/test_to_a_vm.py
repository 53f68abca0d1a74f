"""Intent: files that a service mounts from the project directory are there when it runs on another machine.

Steps: deploy with --to over a real ssh connection into a directory that does not exist; change a file; deploy; look at
what a container may write; deploy another stack of the name.
State checked: the pages that the container serves from its mount, the directory on the machine, the plan.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.driving import QUICK
from tests.scenarios.watching import page
from tests.ssh_server import WHY_NONE, ssh_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.scenarios.driving import Project

pytestmark = [pytest.mark.engine, pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)]


@pytest.fixture
def vm(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    where = tmp_path / "ssh"
    where.mkdir()
    with ssh_server(where, project.real.endpoint, address=project.real.address, netns=project.real.netns) as address:
        monkeypatch.setitem(project.real.environment, "PATH", f"{where}/bin:{os.environ['PATH']}")
        yield address


def test_mounted_files_go_with_the_stack_and_only_what_changed_goes_again(
    project: Project, vm: str, tmp_path: Path
) -> None:
    there = tmp_path / "srv" / "a shop"
    pages, state = project.directory / "pages", project.directory / "state"
    (pages / "below").mkdir(parents=True)
    state.mkdir()
    (pages / "index.html").write_text("sent 1")
    (pages / "below" / "deep.html").write_text("deep")
    (state / "counter").write_text("0")
    to = f"{vm}{there}".replace(" ", "%20")
    project.web("web", "web 1", ports=["18090:8080"], volumes=["./pages:/www:ro", "./state:/state"])

    planned = project.tonnage("plan", "--to", to)
    assert "send-files: brings 3 files" in planned.stdout
    first = project.tonnage("deploy", "--to", to)
    assert first.exit_code == 0, first.stderr
    assert page(project.real.address, 18090) == "sent 1"
    assert (there / "pages" / "below" / "deep.html").read_text() == "deep"
    assert project.tonnage("plan", "--to", to).stdout.count("send-files") == 0

    (there / "state" / "counter").write_text("41")
    (state / "counter").write_text("17 from here")
    (pages / "index.html").write_text("sent 2, longer")
    second = project.tonnage("deploy", "--to", to)
    assert second.exit_code == 0, second.stderr
    assert project.step_names() == ["send-files"]
    assert page(project.real.address, 18090) == "sent 2, longer"
    assert (there / "state" / "counter").read_text() == "41"


def test_a_directory_that_cannot_be_written_fails_before_anything_else_is_done(
    project: Project, vm: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    (project.directory / "pages").mkdir()
    (project.directory / "pages" / "index.html").write_text("x")
    project.web("web", "web 1", volumes=["./pages:/www:ro"])

    ended = project.tonnage("deploy", "--to", f"{vm}{tmp_path}/file")
    assert ended.exit_code == 10, ended.stderr
    assert "not every file arrived" in ended.stderr
    assert not project.engine.containers("web")


@pytest.mark.long("it deploys four times over ssh")
def test_a_stack_of_that_name_from_another_place_is_taken_over_only_when_that_is_asked_for(
    project: Project, vm: str, tmp_path: Path
) -> None:
    sleeps: dict[str, Any] = {"image": "busybox:latest", "command": ["sleep", "100000"], **QUICK}
    places = [tmp_path / "srv" / owner for owner in ("alice", "bob")]
    alice, bob = ("--to", f"{vm}{places[0]}"), ("--to", f"{vm}{places[1]}")
    project.services["app"] = {**sleeps, "environment": {"OWNER": "alice"}}
    project.write()
    project.deploy(*alice)
    project.directory = project.directory / "bob"
    project.directory.mkdir()
    project.services["app"] = {**sleeps, "environment": {"OWNER": "bob"}}
    project.write()
    refused = project.tonnage("deploy", *bob)
    assert refused.exit_code == 2, refused.stderr
    assert all(str(place) in refused.stderr for place in places)
    assert "OWNER=alice" in project.engine.details("app")["Config"]["Env"]
    project.deploy(*bob, "--adopt")
    assert "OWNER=bob" in project.engine.details("app")["Config"]["Env"]
    project.services["app"] = {**sleeps, "environment": {"OWNER": "robert"}}
    project.write()
    project.deploy(*bob)
    assert "OWNER=robert" in project.engine.details("app")["Config"]["Env"]
