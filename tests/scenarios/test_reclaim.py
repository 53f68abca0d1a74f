"""Reclaiming on a real engine: no byte has to be free, enough is told at once, logs are emptied where they are."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.real_engine import busybox_archive
from tests.scenarios.random_engines import MIB, available, layer, load

import tonnage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine
TONNAGE = str(Path(sys.executable).with_name("tonnage"))


def test_it_works_on_a_disk_without_a_free_byte(
    engine_factory: Callable[[int], RealEngine], project_on: Callable[[RealEngine], Project]
) -> None:
    small = engine_factory(400_000_000)
    load(small, "unused:1", [busybox_archive(), layer(1, 50 * MIB)])
    load(small, "", [busybox_archive(), layer(2, 70 * MIB)])
    with open(f"{small.mount}/filling", "wb") as filling:  # noqa: PTH123 - written until nothing more can be
        try:
            while True:
                filling.write(b"\0" * MIB)
                filling.flush()
        except OSError:
            pass
    assert available(small) == 0
    project = project_on(small)
    ended = project.tonnage("reclaim", "--until", "20MB", "--yes", "--json")
    assert ended.exit_code == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["after_bytes"] >= 20_000_000
    assert [each["kind"] for each in told["removed"]] == ["image"]
    assert small.client.images.get("unused:1")


def fill_up(directory: str) -> None:
    """Write until not one more byte can be written."""
    with open(f"{directory}/filling", "wb", buffering=0) as filling:  # noqa: PTH123 - written until nothing more can be
        for piece in (MIB, 4096, 1):
            with contextlib.suppress(OSError):
                while filling.write(b"\0" * piece) == piece:
                    pass


def test_it_works_when_nothing_can_be_written_anywhere(
    engine_factory: Callable[[int], RealEngine], project_on: Callable[[RealEngine], Project], tmp_path: Path
) -> None:
    """The engine's disk is full, the journal is on it, and so are /tmp and the directory of locks."""
    small = engine_factory(400_000_000)
    load(small, "unused:1", [busybox_archive(), layer(1, 50 * MIB)])
    load(small, "", [busybox_archive(), layer(2, 70 * MIB)])
    state = Path(small.mount, "state")
    state.mkdir()
    fill_up(small.mount)
    assert available(small) == 0
    project = project_on(small)
    # In mounts of its own, so that nobody else's /tmp is full. What it says goes where it can be written.
    said, told = tmp_path / "said", tmp_path / "told"
    with said.open("wb") as errors, told.open("wb") as output:
        steps = []
        for number, each in enumerate(("/run/lock", "/tmp")):
            new = tmp_path / f"full-{number}"
            new.mkdir()
            steps.append(f"mount -t tmpfs -o size=64k,mode=1777 none {shlex.quote(str(new))}")
            # The program may lie in what is mounted over.
            for place in (sys.prefix, sys.base_prefix, str(Path(tonnage.__file__).parents[1])):
                if place.startswith(f"{each}/"):
                    there = shlex.quote(f"{new}{place.removeprefix(each)}")
                    steps.append(f"mkdir -p {there}; mount --bind {shlex.quote(place)} {there}")
            filling = shlex.quote(str(new / "filling"))
            steps.append(f"{{ dd if=/dev/zero of={filling} bs=4096 2>/dev/null || true; }}")
            steps.append(f"mount --rbind {shlex.quote(str(new))} {each}")
        full = "; ".join(steps)
        look = "for each in /tmp /run/lock; do test $(stat -f -c %a $each) = 0 || exit 99; done"
        arguments = ["reclaim", "--until", "20MB", "--yes", "--json"]
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", f'set -e; {full}; {look}; exec "$@"', "sh", TONNAGE, *arguments],
            env={**project.environment, "TONNAGE_STATE_DIR": str(state)},
            cwd="/",
            stdout=output,
            stderr=errors,
            check=False,
            timeout=600,
        )
    assert done.returncode == 0, said.read_text()
    document = json.loads(told.read_text())
    assert document["after_bytes"] >= 20_000_000
    assert [each["kind"] for each in document["removed"]] == ["image"]
    assert not any(each["error"] for each in document["removed"])
    assert small.client.images.get("unused:1")


def test_enough_is_told_at_once_and_a_dead_engine_does_not_matter(project: Project) -> None:
    ended = project.tonnage("reclaim", "--until", "1MB", "--yes")
    assert ended.exit_code == 0
    assert "nothing to do" in ended.stdout
    dead = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    again = project.tonnage("reclaim", "--until", "1MB", "--yes", "--mount", project.real.mount, environment=dead)
    assert again.exit_code == 0
    assert project.tonnage("reclaim", "--free", "1MB", "--mount", project.real.mount, environment=dead).exit_code == 4


def test_the_log_of_a_running_container_is_emptied_where_it_is(project: Project) -> None:
    engine = project.real
    load(engine, "talks:1", [busybox_archive()])
    container: Any = engine.client.containers.run(
        "talks:1",
        ["sh", "-c", "while true; do head -c 200000 /dev/zero | tr '\\0' 'x'; echo; sleep 0.01; done"],
        detach=True,
        network_mode="none",
        stop_signal="SIGKILL",
    )
    container.reload()
    log = Path(container.attrs["LogPath"])
    while log.stat().st_size < 9 * MIB:
        time.sleep(0.1)
    container.pause()
    ended = project.tonnage("reclaim", "--free", "5MB", "--only", "container-log", "--yes", "--json")
    assert ended.exit_code == 0, ended.stderr
    assert [each["kind"] for each in json.loads(ended.stdout)["removed"]] == ["container-log"]
    container.unpause()
    container.reload()
    assert container.status == "running"
