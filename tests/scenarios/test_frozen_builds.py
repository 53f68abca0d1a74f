"""Intent: a build that comes to the reserve waits there until room was made, and finishes; it is never left frozen.

Steps: on a small disk, with build cache that nobody needs, build what writes more than there is above the reserve; the
same without anything to reclaim; kill ``tonnage`` while the build is frozen; have somebody else build meanwhile.
State checked: available bytes, images, the state of the control groups, the journal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.watching import available_bytes, bytes_come_back, soon, watching

from tonnage.adapters.guard.build_steps import EngineSteps, freezer_mounts
from tonnage.adapters.guard.engine_process import engine_process
from tonnage.adapters.guard.freezer import is_frozen
from tonnage.adapters.guard.process_pause import engine_names, is_paused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        not freezer_mounts(Path("/proc/self/mountinfo").read_text()), reason="no control groups can be frozen here"
    ),
]

DISK_BYTES = 1_500_000_003
SPARE_BYTES = 300_000_000
HEADROOM_BYTES = 120_000_007
WRITES_BYTES = 230_000_000
BELOW_BYTES = 20_000_000
LARGE_FILES = 8_000
LARGE_FILE_BYTES = 19_001
# 5 MB a piece, about 120 MB in a second.
STEADILY = f"for i in $(seq {WRITES_BYTES // 5_000_000}); do head -c 5000000 /dev/urandom > /f$i; sleep 0.02; done"


@pytest.fixture
def project(engine_factory: Callable[[int], RealEngine], project_on: Callable[[RealEngine], Project]) -> Project:
    """Return a project on a small disk."""
    return project_on(engine_factory(DISK_BYTES))


def steps(project: Project) -> EngineSteps:
    engine = engine_process(project.real.endpoint.removeprefix("unix://"))
    assert engine is not None
    return EngineSteps(engine, project.real.client.info()["DockerRootDir"])


def put_spare(project: Project) -> None:
    """Leave build cache on the engine that nobody needs."""
    directory = project.directory / "spare"
    directory.mkdir()
    (directory / "Dockerfile").write_text(f"FROM busybox:latest\nRUN head -c {SPARE_BYTES} /dev/urandom > /spare\n")
    project.docker("build", "--tag", "spare:1", str(directory))
    project.docker("rmi", "spare:1")


def reserve_above(project: Project) -> int:
    return available_bytes(project.real.mount) - HEADROOM_BYTES


def test_a_build_at_the_reserve_is_frozen_and_finishes_when_room_was_made(project: Project) -> None:
    put_spare(project)
    reserve_bytes = reserve_above(project)
    project.web("web", "web 1", run=STEADILY)
    mount = project.real.mount
    with watching(lambda: available_bytes(mount)) as available:
        ended = project.tonnage("build", "--keep-free", f"{reserve_bytes}B", environment={"TONNAGE_FORECAST": "false"})
    assert ended.exit_code == 0, ended.stderr
    assert "builds were paused for" in ended.stderr
    assert "builds go on" in ended.stderr
    assert "removed the cache" in ended.stderr
    assert min(available.seen) > reserve_bytes - BELOW_BYTES
    assert project.step("web.build").measured[0].shared


def test_without_anything_to_reclaim_it_is_stopped_and_undone(project: Project) -> None:
    mount = project.real.mount
    before, before_bytes = project.engine.everything(), available_bytes(mount)
    reserve_bytes = reserve_above(project)
    project.web("web", "web 1", run=STEADILY)
    with watching(lambda: available_bytes(mount)) as available:
        ended = project.tonnage("build", "--keep-free", f"{reserve_bytes}B", environment={"TONNAGE_FORECAST": "false"})
    assert ended.exit_code == 10, ended.stderr
    assert "nothing can be reclaimed" in ended.stderr
    assert "was stopped below the reserve of" in ended.stderr
    assert min(available.seen) > reserve_bytes - BELOW_BYTES
    assert bytes_come_back(mount, before_bytes)
    assert project.engine.everything() == before
    assert not steps(project).now()


def put_large_context(project: Project) -> None:
    """Have the service copy more than the headroom: the engine itself writes it, no step does.

    In many small files, so that no disk is quick enough to be at the reserve before anything can be removed.
    """
    large = project.directory / "web" / "large"
    large.mkdir()
    for number in range(LARGE_FILES):
        (large / str(number)).write_bytes(os.urandom(LARGE_FILE_BYTES))
    dockerfile = project.directory / "web" / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("COPY index.html", "COPY large /large\nCOPY index.html"))


def test_the_engine_itself_stands_still_for_moments_where_that_is_chosen(project: Project) -> None:
    put_spare(project)
    reserve_bytes = reserve_above(project)
    project.web("web", "web 1")
    put_large_context(project)
    hard = {"TONNAGE_FORECAST": "false", "TONNAGE_GUARD": "hard"}
    mount = project.real.mount
    with watching(lambda: available_bytes(mount)) as available:
        ended = project.tonnage("build", "--keep-free", f"{reserve_bytes}B", environment=hard)
    assert ended.exit_code == 0, ended.stderr
    assert "were reclaimed while the engine itself writes towards the reserve" in ended.stderr
    assert "removed the cache" in ended.stderr
    assert min(available.seen) > reserve_bytes - BELOW_BYTES
    engine = engine_process(project.real.endpoint.removeprefix("unix://"))
    assert engine is not None
    assert not any(map(is_paused, engine_names(engine)))


def test_an_engine_that_stands_still_runs_again_when_tonnage_is_killed(project: Project) -> None:
    project.web("web", "web 1")
    put_large_context(project)
    engine = engine_process(project.real.endpoint.removeprefix("unix://"))
    assert engine is not None
    names = engine_names(engine)
    running = project.start(
        "build",
        "--keep-free",
        f"{reserve_above(project)}B",
        environment={"TONNAGE_FORECAST": "false", "TONNAGE_GUARD": "hard"},
    )
    running.until(lambda: any(map(is_paused, names)), "the engine stands still")
    running.signal(signal.SIGKILL)
    assert soon(lambda: not any(map(is_paused, names)))
    running.kill()
    assert project.tonnage("status").exit_code == 0


def groups_of(found: EngineSteps) -> list[str]:
    return [step.directory for step in found.now()]


def test_a_step_is_known_by_its_engine_alone(project: Project) -> None:
    project.web("web", "web 1", run="sleep 3; echo tonnage-guard-test")
    found, other = steps(project), EngineSteps(os.getpid(), "/nowhere")
    running = project.start("build")
    running.until(lambda: groups_of(found), "a step runs")
    (step,) = found.now()
    assert step.command == ("/bin/sh", "-c", "sleep 3; echo tonnage-guard-test")
    assert Path(step.directory, "cgroup.procs").read_text().split()
    assert not other.now()
    # Another data root, or another process, is another engine.
    engine = engine_process(project.real.endpoint.removeprefix("unix://"))
    assert engine is not None
    assert not EngineSteps(engine, "/var/lib/elsewhere").now()
    assert running.wait().exit_code == 0


def test_a_killed_tonnage_leaves_nothing_frozen(project: Project) -> None:
    put_spare(project)
    reserve_bytes = reserve_above(project)
    project.web("web", "web 1", run=STEADILY)
    found = steps(project)
    running = project.start("build", "--keep-free", f"{reserve_bytes}B", environment={"TONNAGE_FORECAST": "false"})
    seen: list[str] = []

    def frozen() -> bool:
        seen[:] = [each for each in groups_of(found) if is_frozen(each)]
        return bool(seen)

    running.until(frozen, "the step is frozen")
    running.signal(signal.SIGKILL)
    assert soon(lambda: not any(Path(each).is_dir() and is_frozen(each) for each in seen))
    running.kill()
    assert project.tonnage("status").exit_code == 0


def test_somebody_elses_build_is_never_frozen(project: Project) -> None:
    put_spare(project)
    reserve_bytes = reserve_above(project)
    project.web("web", "web 1", run=STEADILY)
    others = project.directory / "other"
    others.mkdir()
    (others / "Dockerfile").write_text("FROM busybox:latest\nRUN sleep 600; echo somebody else\n")
    from tonnage.adapters.docker.tools import Tools  # noqa: PLC0415

    environment = {**project.environment, "DOCKER_BUILDKIT": "1"}
    program = Tools(environment).need_build().program
    other = subprocess.Popen(
        [program, "build", str(others)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        found = steps(project)
        assert soon(lambda: groups_of(found))
        (theirs,) = groups_of(found)
        states: list[bool] = []
        with watching(lambda: int(is_frozen(theirs))) as state:
            ended = project.tonnage(
                "build", "--keep-free", f"{reserve_bytes}B", environment={"TONNAGE_FORECAST": "false"}
            )
        states += [bool(each) for each in state.seen]
        assert "builds were paused for" in ended.stderr
        assert states
        assert not any(states)
    finally:
        other.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            other.wait(30)
        other.kill()
        other.wait()
    assert ended.exit_code == 0, ended.stderr
