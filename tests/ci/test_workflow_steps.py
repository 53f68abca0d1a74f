"""The steps of generated workflows, carried out with stand-ins: which commands are called, and when they are not."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.ci.programs import program
from tests.ci.runner import Runner
from tests.ci.writing import written

if TYPE_CHECKING:
    from pathlib import Path

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def called(tmp_path: Path) -> Runner:
    """Make a runner for a chain of three, with stand-ins that write their arguments to the file ``called``."""
    if shutil.which("jq") is None:
        pytest.skip("no jq, which runners of GitHub have")
    written(tmp_path, "a-chain")
    programs = tmp_path / "programs"
    programs.mkdir()
    images = [{"service": name, "image": f"registry.example.org/{name}:7"} for name in "abc"]
    (tmp_path / "status").write_text(json.dumps({"stack": "shop", "services": images}))
    record = f'echo "$(basename "$0") $*" >> {tmp_path}/called'
    program(programs / "tonnage", f"{record}\ncase $1 in status) cat {tmp_path}/status ;; esac")
    for name in ("docker", "pipx"):
        program(programs / name, record)
    program(programs / "id", "echo 0")
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path / "home")}
    (tmp_path / "home").mkdir()
    return Runner(tmp_path, tmp_path, environment, {"vars": {}, "secrets": {}})


def calls(runner: Runner, *, of: str) -> list[str]:
    lines = (runner.workspace / "called").read_text().splitlines()
    return [line.removeprefix(f"{of} ") for line in lines if line.startswith(f"{of} ")]


def test_every_image_is_asked_for_by_the_name_that_it_has_there(called: Runner) -> None:
    jobs = called.workflow(called.workspace / ".github" / "workflows" / "sequential-deploy.yml", service="all")

    assert jobs["verify"][0].step("Verify that every image was pushed").outcome == "success"
    inspected = [line for line in calls(called, of="docker") if line.startswith("manifest")]
    assert inspected == [f"manifest inspect registry.example.org/{name}:7" for name in "abc"]
    assert not any("--to" in line for line in calls(called, of="tonnage"))


def test_an_image_that_was_not_pushed_fails_the_last_job(called: Runner) -> None:
    program(called.workspace / "programs" / "docker", 'case "$*" in *b:7) exit 1 ;; esac')
    jobs = called.workflow(called.workspace / ".github" / "workflows" / "sequential-deploy.yml", service="all")

    assert jobs["verify"][0].step("Verify that every image was pushed").outcome == "failure"


def test_a_plan_that_does_not_fit_is_reclaimed_for_and_one_that_fails_is_not(called: Runner) -> None:
    tonnage = called.workspace / "programs" / "tonnage"
    for code, reclaimed in ((3, True), (6, False)):
        (called.workspace / "called").unlink(missing_ok=True)
        record = f'echo "tonnage $*" >> {called.workspace}/called'
        program(tonnage, f"{record}\ncase $1 in plan) exit {code} ;; esac")
        jobs = called.workflow(called.workspace / ".github" / "workflows" / "docker-deploy.yml")
        assert jobs["build"][0].failed is not reclaimed
        assert any(line.startswith("reclaim") for line in calls(called, of="tonnage")) is reclaimed
