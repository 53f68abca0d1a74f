"""Intent: the GitHub Action frees, builds, deploys and tells, on a runner with a real engine.

Steps: run the steps of the Action as a runner does, in each mode that needs an engine.
State checked: the engine, the outputs, the summary of the job.
"""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.ci.programs import install_programs
from tests.ci.runner import Runner

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

ACTION = Path(__file__).resolve().parents[2] / "action.yml"
FILLING = "dd if=/dev/urandom of=/filling bs=1M count=23"


@pytest.fixture
def runner(project: Project, tmp_path: Path) -> Runner:
    project.web("web", "web 1", run=FILLING)
    programs = install_programs(tmp_path / "programs")
    (tmp_path / "temp").mkdir()
    environment = {**project.environment, "PATH": f"{programs}:{os.environ['PATH']}"}
    return Runner(project.directory, tmp_path / "temp", environment, {"github": {"event_name": "push"}})


def archive(size_bytes: int) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo("data")
        entry.size = size_bytes
        tar.addfile(entry, io.BytesIO(os.urandom(size_bytes)))
    return made.getvalue()


def test_a_build_is_measured_drawn_and_cleaned_up_after(project: Project, runner: Runner) -> None:
    before = project.engine.everything()

    ended = runner.action(ACTION, mode="build", cleanup_after="true")

    assert not ended.failed, ended.told()
    assert project.engine.everything() == before
    assert project.engine.cache() == {}
    assert 23_000_000 < int(ended.outputs["peak-bytes"]) < 150_000_000
    assert ended.outputs["freed-bytes"] == "0"
    picture = ended.summary.split("```mermaid\n")[1].split("```")[0].splitlines()
    assert picture[0] == "xychart-beta"
    disk, line = (row.split("[")[1].rstrip("]").split(", ") for row in picture[-2:])
    assert len(disk) == len(line) > 10
    assert min(map(float, disk)) < float(disk[0])
    assert set(line) == {line[0]}
    row = next(row for row in ended.summary.splitlines() if "<code>web</code>" in row)
    assert row.endswith("| done |"), row
    assert "web.build" in ended.step("Build or deploy").stderr


def test_a_deploy_runs_the_services(project: Project, runner: Runner) -> None:
    ended = runner.action(ACTION, mode="deploy", services="web", keep_free="200MB")

    assert not ended.failed, ended.told()
    assert project.engine.health("web") == "healthy"
    assert "deploy: done in" in ended.summary


def test_a_build_that_fails_ends_the_step_with_its_code_and_is_told(project: Project, runner: Runner) -> None:
    project.web("web", "web 1", run="echo no | wheel for this; exit 3")

    ended = runner.action(ACTION, mode="build")

    assert ended.step("Build or deploy").exit_code == 10, ended.told()
    assert ended.step("Summary").outcome == "success"
    assert "| failed |" in ended.summary
    assert "**build: <code>" in ended.summary


def test_disk_is_reclaimed_until_there_is_enough(project: Project, runner: Runner) -> None:
    project.real.client.api.import_image_from_data(archive(17_000_003), repository="forgotten", tag="1")
    disk = os.statvfs(project.real.mount)
    wanted_bytes = disk.f_bavail * disk.f_frsize + 11_000_000

    ended = runner.action(ACTION, mode="reclaim", until=f"{wanted_bytes}B")

    assert not ended.failed, ended.told()
    assert int(ended.outputs["freed-bytes"]) >= 11_000_000
    assert "by removing 1 thing," in ended.summary
    assert not project.engine.image_id("forgotten:1")
    assert ended.step("Forecast").outcome == "skipped"
    too_much = runner.action(ACTION, mode="reclaim", until="900TB")
    assert too_much.step("Free disk").exit_code == 2
