"""Intent: a deploy is rehearsed on an engine of its own, whose disk really has the chosen size; nothing is left of it.

Steps: rehearse with images of the user's engine and from a file; with a service that is not healthy; on a disk that is
too small; with Ctrl-C in the middle of a build; killed in the middle; kept, looked at and removed.
State checked: exit codes, the journal, the user's engine, and the directory of all rehearsals, which vanishes with the
last of them (what else a private engine leaves or not is held by the tests of the private engine itself).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.real_engine import busybox_archive
from tests.scenarios.seeing import processes_with
from tests.scenarios.watching import page

from tonnage.adapters.private_engine import remove_rehearsal
from tonnage.adapters.private_engine.layout import DIRECTORY_VARIABLE
from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

DISK = "536870923B"
FAILING = {"test": ["CMD", "false"], "interval": "200ms", "retries": 2}
LINE = {"x-tonnage": {"keep-free": "20MB"}}


@pytest.fixture
def rehearsals(project: Project) -> Iterator[dict[str, str]]:
    """Return an environment that keeps the rehearsals of this test apart; it checks that none of them is left."""
    directory = Path(f"/var/tmp/tonnage-rehearsing-{os.getpid()}")
    environment = {DIRECTORY_VARIABLE: str(directory)}
    yield environment
    # A test that failed or was interrupted may be in the middle of one.
    project.close()
    left = names(environment)
    for name in left:
        remove_rehearsal(name, environment={**os.environ, **environment})
    assert not left
    assert not directory.exists()


def names(rehearsals: dict[str, str]) -> list[str]:
    return sorted(entry.name for entry in Path(rehearsals[DIRECTORY_VARIABLE]).glob("r??????"))


@pytest.mark.each_engine
def test_a_rehearsal_deploys_on_its_own_engine_and_leaves_the_users_engine_as_it_was(
    project: Project, rehearsals: dict[str, str]
) -> None:
    project.top.update(LINE)
    project.web("gate", "gate 1", ports=["18084:8080"])
    before = project.engine.everything()
    ended = project.tonnage("rehearse", "--disk", DISK, environment=rehearsals)
    assert ended.exit_code == 0, ended.stderr
    assert "copying busybox:latest from your engine" in ended.stderr
    assert project.engine.everything() == before
    [run] = project.runs()
    assert run.outcome is Outcome.DONE
    assert {step.service for step in run.steps} == {"gate"}


def test_an_image_comes_from_a_file_where_the_users_engine_does_not_answer(
    project: Project, rehearsals: dict[str, str], tmp_path: Path
) -> None:
    project.top.update(LINE)
    project.web("gate", "gate 1")
    dockerfile = project.directory / "gate" / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("busybox:latest", "example.org/base:7"))
    (tmp_path / "base.tar").write_bytes(busybox_archive())
    nobody = {"DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"}
    ended = project.tonnage(
        *("rehearse", "--disk", DISK, "--import", f"example.org/base:7={tmp_path}/base.tar", "--json"),
        environment={**rehearsals, **nobody},
    )
    assert ended.exit_code == 0, ended.stderr
    assert all(json.loads(line) for line in ended.stdout.splitlines())


def test_a_rehearsal_ends_as_the_deploy_in_it_does(project: Project, rehearsals: dict[str, str]) -> None:
    project.top.update(LINE)
    project.web("gate", "gate 1", healthcheck=FAILING)
    assert project.tonnage("rehearse", "--disk", DISK, environment=rehearsals).exit_code == 5


def test_a_disk_that_is_known_to_be_too_small_is_refused(project: Project, rehearsals: dict[str, str]) -> None:
    project.top.update(LINE)
    project.web("gate", "gate 1", run="dd if=/dev/urandom of=/weights bs=1M count=300")
    ended = project.tonnage("rehearse", "--disk", "200MB", environment=rehearsals)
    assert ended.exit_code == 3, ended.stderr
    assert project.runs() == ()


def test_a_disk_that_is_too_small_stops_the_build_and_not_the_engine(
    project: Project, rehearsals: dict[str, str]
) -> None:
    project.top.update(LINE)
    # How much it writes nobody can tell from its words.
    project.web("gate", "gate 1", run="yes | dd of=/weights bs=1M")
    ended = project.tonnage("rehearse", "--disk", "200MB", environment=rehearsals)
    assert ended.exit_code == 10, ended.stderr
    [run] = project.runs()
    assert run.outcome is Outcome.FAILED


def test_ctrl_c_in_a_build_ends_the_rehearsal(project: Project, rehearsals: dict[str, str]) -> None:
    project.top.update(LINE)
    project.web("gate", "gate 1", run=f"sleep 3601.7; : {project.name}")
    running = project.start("rehearse", "--disk", DISK, environment=rehearsals)
    running.until(lambda: processes_with(f"sleep 3601.7; : {project.name}"), "the build step runs")
    running.signal(signal.SIGINT)
    assert running.wait().exit_code == 130
    assert not processes_with(f"sleep 3601.7; : {project.name}")


def test_what_a_killed_rehearsal_left_is_swept_by_the_next_one(project: Project, rehearsals: dict[str, str]) -> None:
    project.top.update(LINE)
    project.web("gate", "gate 1", run=f"sleep 3667.3; : {project.name}")
    running = project.start("rehearse", "--disk", DISK, environment=rehearsals)
    running.until(lambda: processes_with(f"sleep 3667.3; : {project.name}"), "the build step runs")
    running.kill()
    assert len(names(rehearsals)) == 1
    project.web("gate", "gate 1", run="true")
    assert project.tonnage("rehearse", "--disk", DISK, environment=rehearsals).exit_code == 0
    assert not processes_with(f"sleep 3667.3; : {project.name}")


def test_a_kept_rehearsal_is_reached_and_removed_as_it_says(project: Project, rehearsals: dict[str, str]) -> None:
    project.top.update(LINE)
    project.web("gate", "gate 1", ports=["18085:8080"])
    ended = project.tonnage("rehearse", "--disk", DISK, "--keep", environment=rehearsals)
    assert ended.exit_code == 0, ended.stderr
    [name] = names(rehearsals)
    said = [line.strip() for line in ended.stderr.splitlines()]
    [export] = [line for line in said if line.startswith("export DOCKER_HOST=")]
    [address] = [line.split(" answer at ")[1].split(". ")[0] for line in said if " answer at " in line]
    assert page(address, 18085) == "gate 1"
    shown = subprocess.run(
        ["sh", "-c", f"{export}; docker ps --format '{{{{.Names}}}}'"], check=True, capture_output=True, text=True
    )
    assert project.name in shown.stdout
    assert f"tonnage rehearse --remove {name}" in said
    assert project.tonnage("rehearse", "--remove", name, environment=rehearsals).exit_code == 0


def test_an_ambiguous_size_is_refused_with_both_meanings(project: Project, rehearsals: dict[str, str]) -> None:
    project.web("gate", "gate 1")
    ended = project.tonnage("rehearse", "--disk", "10G", environment=rehearsals)
    assert ended.exit_code == 2
    assert "10GB" in ended.stderr
    assert "10GiB" in ended.stderr
