"""Intent: a step that fills the disk in one call cannot be seen coming; the ballast keeps the engine going.

Steps: have ``tonnage guard`` make the ballast, deploy, then build what takes all bytes but some at once.
State checked: available bytes, the file of the ballast, what answers, the journal.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.watching import available_bytes, bytes_come_back

from tonnage.adapters.guard.ballast import NAME, ballast_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

pytestmark = [
    pytest.mark.engine,
    pytest.mark.long("three deploys on a disk of its own: half a minute"),
    pytest.mark.skipif(os.geteuid() != 0, reason="a ballast lies in the data root, which needs root"),
]

DISK_BYTES = 1_200_000_003
RESERVE = "60000000B"
AT_ONCE = "fallocate -l $(( ($(df -k / | awk 'END { print $4 }') - 3000) * 1024 )) /large; sleep 20"


def test_a_disk_that_is_filled_at_once_is_given_the_ballast_back(
    engine_factory: Callable[[int], RealEngine], project_on: Callable[[RealEngine], Project]
) -> None:
    project = project_on(engine_factory(DISK_BYTES))
    project.web("web", "web 1")
    project.deploy("--keep-free", RESERVE)
    root = project.real.client.info()["DockerRootDir"]
    guarded = project.tonnage("guard", "--once", "--yes", "--keep-free", RESERVE)
    assert guarded.exit_code == 0, guarded.stderr
    held = ballast_bytes(root)
    assert held > 5_000_000
    before, before_bytes = project.engine.everything(), available_bytes(project.real.mount)

    project.web("web", "web 2", run=AT_ONCE)
    ended = project.tonnage("deploy", "--keep-free", RESERVE, environment={"TONNAGE_FORECAST": "false"})

    assert ended.exit_code == 10, ended.stderr
    assert "of ballast were given back" in ended.stderr
    assert project.step("web.build").outcome == "failed"
    assert project.engine.everything() == before
    assert bytes_come_back(project.real.mount, before_bytes)
    assert ballast_bytes(root) == held
    assert Path(root, NAME).is_file()

    project.web("web", "web 3")
    project.deploy("--keep-free", RESERVE)
    assert available_bytes(project.real.mount) < before_bytes + 1_000_000
