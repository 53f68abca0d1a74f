"""Intent: three images are made at the same time on a small disk, above the reserve; one signal ends all three.

Steps: deploy three small services with ``--parallel 3``; send a signal while three builds run.
State checked: available bytes 20 times a second, events, the journal, images, processes.
"""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.seeing import processes_with
from tests.scenarios.watching import available_bytes, watching

from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

DISK_BYTES = 1_300_000_007
SIZES = {"one": 90, "two": 70, "three": 50}
"""Megabytes that each image keeps; it writes half as much besides, and deletes it."""


@pytest.fixture
def project(engine_factory: Callable[[int], RealEngine], project_on: Callable[[RealEngine], Project]) -> Project:
    """Return a project of three services on a small disk."""
    project = project_on(engine_factory(DISK_BYTES))
    for name, size in SIZES.items():
        writes = f"dd if=/dev/zero of=/kept bs=1M count={size} && dd if=/dev/zero of=/more bs=1M count={size // 2}"
        project.web(name, name, run=f"{writes} && sleep 2 && rm /more")
    return project


def at_once(project: Project, events: str) -> int:
    """Return how many builds ran at the same time at most."""
    runs = most = 0
    for line in (project.directory / events).read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "step-started":
            runs += event["step"]["name"].endswith(".build")
        elif event["event"] == "step-finished":
            runs -= event["name"].endswith(".build")
        most = max(most, runs)
    return most


def test_three_images_are_made_at_once_above_the_reserve(project: Project) -> None:
    mount = project.real.mount
    reserve_bytes = 50_000_017
    with watching(lambda: available_bytes(mount)) as available:
        ended = project.tonnage("deploy", "--parallel", "3", "--keep-free", f"{reserve_bytes}B", "--events", "events")
    assert ended.exit_code == 0, ended.stderr
    assert at_once(project, "events") > 1
    assert min(available.seen) >= reserve_bytes
    assert {each.name for each in project.runs()[0].steps} >= {"one.build", "two.build", "three.build"}


@pytest.mark.long("it writes 300 MB of images")
@pytest.mark.each_engine
def test_what_images_made_at_once_have_in_common_is_stored_as_forecast(project: Project) -> None:
    common = "FROM busybox:latest AS common\nRUN dd if=/dev/urandom of=/made bs=1M count=50 && sleep 2\n"
    for name in SIZES:
        own = f"FROM busybox:latest\nCOPY --from=common /made /made\nRUN dd if=/dev/urandom of=/{name} bs=1M count=8\n"
        (project.directory / name / "Dockerfile").write_text(f"{common}{own}CMD true\n")
        project.services[name] = {"build": f"./{name}"}
    project.write()
    before_bytes = available_bytes(project.real.mount)
    planned = json.loads(project.tonnage("plan", "--build", "--json", "--parallel", "3").stdout)
    with watching(lambda: available_bytes(project.real.mount)) as available:
        ended = project.tonnage("build", "--parallel", "3", "--keep-free", "50MB", "--events", "events")
    assert ended.exit_code == 0, ended.stderr
    taken_bytes = before_bytes - min(available.seen)
    assert taken_bytes <= planned["need"]["peak_bytes"]["high"] * 1.02, ended.stderr


def test_a_signal_while_three_builds_run_ends_all_of_them(project: Project) -> None:
    for name in SIZES:
        project.web(name, name, run=f": asleep-in-{project.name}-{name}; sleep 3601; true")
    before = project.engine.everything()
    running = project.start("deploy", "--parallel", "3", "--keep-free", "50MB")
    running.until(lambda: all(processes_with(f"asleep-in-{project.name}-{name}") for name in SIZES), "three builds run")
    running.signal(signal.SIGINT)
    ended = running.wait()
    assert ended.exit_code == 130
    assert processes_with(project.name) == []
    assert project.engine.everything() == before
    assert [each.outcome for each in project.runs()[0].steps if each.kind == "build"] == [Outcome.INTERRUPTED] * 3
