"""Intent: a service that runs to its end runs once for each version, before those that wait for it.

Steps: deploy with one that ends well; deploy again; deploy one that ends badly.
State checked: what it wrote, how it ended, the containers of the others, what is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.driving import CHECK
from tests.scenarios.seeing import names_of

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine


def migrate(project: Project, text: str, command: str) -> None:
    """Write a service that notes each of its runs on a volume."""
    project.web("migrate", text, cmd=f'CMD ["sh", "-c", "echo {text} >> /data/runs; {command}"]', volumes=["db:/data"])
    project.services["migrate"].pop("healthcheck", None)
    project.services["migrate"]["x-tonnage"] = {"one-shot": True}
    project.write()


def test_a_one_shot_service_runs_once_and_its_failure_is_told(project: Project) -> None:
    project.web(
        "web",
        "web 1",
        volumes=["db:/data:ro"],
        depends_on={"migrate": {"condition": "service_completed_successfully"}},
        healthcheck={**CHECK, "test": ["CMD", "test", "-s", "/data/runs"]},
    )
    migrate(project, "first", "true")
    project.deploy()
    engine = project.engine

    def runs() -> object:
        return engine.client.containers.get(engine.container("web").id).exec_run(["cat", "/data/runs"]).output

    assert runs() == b"first\n"
    migrated = engine.details("migrate")["State"]
    assert (migrated["Status"], migrated["ExitCode"]) == ("exited", 0)
    web = engine.container("web")
    assert migrated["FinishedAt"] < web.started_at

    before = engine.everything()
    project.deploy()
    assert engine.everything() == before
    assert runs() == b"first\n"

    images = engine.images()
    migrate(project, "second", "echo column forty-seven is taken; exit 3")
    ended = project.tonnage("deploy")
    assert ended.exit_code == 5
    assert "column forty-seven is taken" in ended.stderr
    assert "exit code 3" in ended.stderr
    assert runs() == b"first\nsecond\n"
    assert engine.container("web") == web
    assert names_of(engine.images()) == names_of(images)
