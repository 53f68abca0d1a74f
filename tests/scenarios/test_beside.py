"""Intent: two runs at once on one engine do not fill the disk together, nor remove what the other needs.

Steps: let one deploy be in a build that has bytes to write yet; deploy another stack that would fit alone; reclaim.
State checked: exit codes, what the second is told, what the journal learns, images that stay.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from tests.real_engine import busybox_archive
from tests.scenarios.driving import QUICK
from tests.scenarios.random_engines import layer, load
from tests.scenarios.seeing import processes_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

WEIGHTS_BYTES = 60_000_011
OTHER_BYTES = 5_000_011


def with_weights(project: Project, size_bytes: int, *, run: str = "") -> None:
    """Add a service that brings a file of random bytes, after a command of its build."""
    project.web("web", "web 1", run=run)
    context = project.directory / "web"
    (context / "weights").write_bytes(os.urandom(size_bytes))
    with (context / "Dockerfile").open("a") as file:
        file.write("COPY weights /weights\n")


def test_a_deploy_is_refused_what_another_one_may_still_write_and_names_it(
    engine: RealEngine, project_on: Callable[[RealEngine], Project]
) -> None:
    first, second = project_on(engine), project_on(engine)
    with_weights(first, WEIGHTS_BYTES, run=f": asleep-in-{first.name}; sleep 3601; true")
    with_weights(second, OTHER_BYTES)
    alone = json.loads(second.tonnage("plan", "--json", "--keep-free", "10MB").stdout)
    lowest_bytes = min(step["lowest"]["high_bytes"] for step in alone["steps"] if step["name"] == "web.build")
    keep_free = ("--keep-free", f"{lowest_bytes - WEIGHTS_BYTES * 3 // 2}B")
    running = first.start("deploy", "--keep-free", "10MB")
    running.until(lambda: processes_with(f"asleep-in-{first.name}"), "the command of the build runs")

    refused = second.tonnage("deploy", *keep_free)
    assert refused.exit_code == 3, refused.stderr
    assert f"may still be written by the run of stack {first.name} (process {running.pid} of user" in refused.stderr
    assert "Wait until that one has ended" in refused.stderr
    assert second.runs() == ()

    second.deploy("--keep-free", "10MB")
    assert all(each.shared for step in second.runs()[0].steps for each in step.measured)
    running.end()
    second.web("web", "web 2")
    second.deploy(*keep_free)
    assert not any(each.shared for step in second.runs()[0].steps for each in step.measured)


def test_a_reclaim_leaves_what_a_running_deploy_needs_and_names_it(
    engine: RealEngine, project_on: Callable[[RealEngine], Project]
) -> None:
    first, second = project_on(engine), project_on(engine)
    second.state = second.directory.parent / "state-of-somebody-else"
    # An image that only the compose file of the running deploy names; its journal is not known to the other user.
    needed = f"{first.name}/needed:1"
    load(engine, needed, [busybox_archive(), layer(1, 1_000_003)])
    first.services["later"] = {**QUICK, "image": needed, "command": ["sleep", "3600"], "depends_on": ["web"]}
    with_weights(first, OTHER_BYTES, run=f": asleep-in-{first.name}; sleep 3601; true")
    running = first.start("deploy", "--keep-free", "10MB")
    running.until(lambda: processes_with(f"asleep-in-{first.name}"), "the command of the build runs")

    told = json.loads(second.tonnage("reclaim", "--only", "image", "--json").stdout)
    [reason] = [each["reason"] for each in told["protected"] if needed in each["name"]]
    assert reason.startswith(f"the run of stack {first.name} (process {running.pid} of user ")
    assert any("is running on this engine" in note and first.name in note for note in told["notes"])
    running.end()
    told = json.loads(second.tonnage("reclaim", "--only", "image", "--json").stdout)
    assert needed in [each["name"] for each in told["chosen"]]
