"""Intent: a deployed stack is proven again and told of, and what nobody uses can be reclaimed beside it.

Steps: deploy; verify; status; report; build an image that nothing uses; show what reclaim would remove; reclaim.
State checked: the documents that are printed, the images that are on the engine, the bytes of its disk.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = [pytest.mark.engine, pytest.mark.each_engine]

# What an engine writes for itself beside the files of a layer.
ASIDE_BYTES = 700_000


def told(project: Project, *arguments: str) -> dict[str, Any]:
    """Return the document that a command prints, which must succeed."""
    ended = project.tonnage(*arguments, "--json")
    assert ended.exit_code == 0, ended.stderr
    document: dict[str, Any] = json.loads(ended.stdout)
    return document


def test_a_deployed_stack_is_proven_again_and_told_of(project: Project) -> None:
    project.web("web", "web 1")
    project.deploy()
    verified = project.tonnage("verify")
    assert verified.exit_code == 0, verified.stderr
    (web,) = told(project, "status")["services"]
    assert (web["service"], web["state"], web["health"]) == ("web", "running", "healthy")
    (run,) = told(project, "report")["runs"]
    assert run["outcome"] == "done"
    assert [step["name"] for step in run["steps"]] == project.step_names()


def test_what_a_build_keeps_is_what_was_forecast_and_comes_free_again(project: Project) -> None:
    project.web("web", "web 1")
    project.web("old", "old 1", run="head -c 20000003 /dev/urandom > /big")
    project.deploy("web")
    assert project.tonnage("build", "old").exit_code == 0
    build = project.step("old.build")
    (kept_bytes,) = [each.kept_bytes for each in build.measured if each.mount == project.real.images_mount]
    assert build.forecast_kept_bytes == pytest.approx(kept_bytes, abs=ASIDE_BYTES)

    # No stack names it any more.
    del project.services["old"]
    project.write()
    before = project.engine.everything()
    shown = told(project, "reclaim", "--only", "image", "--free", "10MB")
    assert [each["name"] for each in shown["chosen"]] == [f"{project.name}-old:latest"]
    assert project.engine.everything() == before

    (removed,) = told(project, "reclaim", "--only", "image", "--free", "10MB", "--yes")["removed"]
    assert removed["freed_bytes"] == pytest.approx(removed["promised_bytes"], abs=ASIDE_BYTES)
    assert project.engine.image_id(f"{project.name}-old:latest") == ""
    assert project.engine.health("web") == "healthy"
