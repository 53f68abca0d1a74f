"""Intent: a build that fails says where and why, and is as if it had not been.

Steps: deploy a good version; deploy one whose Dockerfile fails in a command, or stands on an image that nobody has.
State checked: containers and images of the engine, the disk, the journal; what is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.watching import available_bytes, bytes_come_back

from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine


def test_a_failing_command_is_named_with_its_line_and_its_output(project: Project) -> None:
    project.web("web", "web 1")
    project.deploy()
    before, before_bytes = project.engine.everything(), available_bytes(project.real.mount)
    project.web("web", "web 2", run="head -c 37000027 /dev/urandom > /big; echo the forty-seventh wheel is bent; false")
    ended = project.tonnage("deploy")
    assert ended.exit_code == 10
    assert f"{project.directory}/web/Dockerfile:2" in ended.stderr
    assert "the forty-seventh wheel is bent" in ended.stderr
    assert project.engine.everything() == before
    assert bytes_come_back(project.real.mount, before_bytes)
    assert project.step_names() == ["web.build"]
    build = project.step("web.build")
    assert build.outcome is Outcome.FAILED
    assert build.measured[0].before_bytes - build.measured[0].lowest_bytes >= 37_000_027


def test_a_base_image_that_nobody_has_is_named(project: Project) -> None:
    project.web("web", "web 1")
    project.deploy()
    before = project.engine.everything()
    dockerfile = project.directory / "web" / "Dockerfile"
    dockerfile.write_text("# the base stands on the second line\nFROM 127.0.0.1:9/fleet/no-such-base:1.7\n")
    ended = project.tonnage("deploy")
    assert ended.exit_code == 10
    assert "127.0.0.1:9/fleet/no-such-base:1.7" in ended.stderr
    assert f"{dockerfile}:2" in ended.stderr
    assert project.engine.everything() == before
