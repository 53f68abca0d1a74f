"""Intent: a build that wants more than there is ends at the reserve, and engine, services and the disk are as before.

Steps: on a really small disk deploy a service; deploy a version whose build writes more than fits: above a line, from
below the reserve, and without any reserve until the disk is full.
State checked: available bytes 20 times a second and afterwards, containers, images, whether the engine answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.watching import SLACK_BYTES, available_bytes, bytes_come_back, page, watching

from tonnage.model.deploy.run import Outcome
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

DISK_BYTES = 1_300_000_007
# About as fast as an installation of large wheels writes.
STEADILY = "for i in $(seq 997); do head -c 5000011 /dev/zero > /f$i; sleep 0.04; done"
AT_ONCE = "dd if=/dev/zero of=/all bs=1M"
OVERSHOOT_BYTES = 100_000_007


@pytest.fixture
def project(engine_factory: Callable[[int], RealEngine], project_on: Callable[[RealEngine], Project]) -> Project:
    """Return a project with a running service on a small disk."""
    project = project_on(engine_factory(DISK_BYTES))
    project.web("web", "web 1", ports=["18093:8080"])
    project.deploy("--keep-free", "101MB")
    return project


def test_a_build_is_stopped_at_the_line_and_gives_back_what_it_wrote(project: Project) -> None:
    engine, mount = project.engine, project.real.mount
    before, cache, before_bytes = engine.everything(), engine.cache(sent=False), available_bytes(mount)
    reserve_bytes = before_bytes - 150_000_007
    project.web("web", "web 2", run=STEADILY)
    with watching(lambda: available_bytes(mount)) as available:
        ended = project.tonnage("deploy", "--keep-free", f"{reserve_bytes}B")
    assert ended.exit_code == 10
    assert "was stopped below the reserve of" in ended.stderr
    assert f"{format_bytes(reserve_bytes)} must remain" in ended.stderr
    assert min(available.seen) < reserve_bytes + SLACK_BYTES
    assert min(available.seen) > reserve_bytes - OVERSHOOT_BYTES
    assert bytes_come_back(mount, before_bytes)
    assert engine.everything() == before
    assert engine.cache(sent=False) == cache
    assert page(project.real.address, 18093) == "web 1"
    step = project.step("web.build")
    assert step.outcome is Outcome.FAILED
    assert step.measured[0].lowest_bytes <= reserve_bytes


def test_from_below_the_line_nothing_is_begun(project: Project) -> None:
    engine, mount = project.engine, project.real.mount
    before, cache, before_bytes = engine.everything(), engine.cache(sent=False), available_bytes(mount)
    project.web("web", "web 2")
    ended = project.tonnage("deploy", "--keep-free", f"{before_bytes + SLACK_BYTES}B")
    assert ended.exit_code == 3
    assert format_bytes(before_bytes + SLACK_BYTES) in ended.stderr
    assert engine.everything() == before
    assert engine.cache(sent=False) == cache
    assert len(project.runs()) == 1


def test_without_a_line_a_full_disk_is_told_and_survived(project: Project) -> None:
    engine, mount = project.engine, project.real.mount
    before, cache, before_bytes = engine.everything(), engine.cache(sent=False), available_bytes(mount)
    project.web("web", "web 2", run=AT_ONCE)
    with watching(lambda: available_bytes(mount)) as available:
        ended = project.tonnage("deploy", "--keep-free", "0B")
    assert ended.exit_code == 10
    assert "the disk filled while web was being built" in ended.stderr
    assert "No space left on device" in ended.stderr
    assert min(available.seen) < SLACK_BYTES
    assert bytes_come_back(mount, before_bytes)
    assert engine.everything() == before
    assert engine.cache(sent=False) == cache
    assert page(project.real.address, 18093) == "web 1"
    project.web("web", "web 3")
    project.deploy("--keep-free", "0B")
    assert page(project.real.address, 18093) == "web 3"
