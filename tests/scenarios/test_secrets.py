"""Intent: secrets and configs have the content that Compose gives them, and another content is another version.

Steps: build with a secret and run with a secret and configs from .env; change the file of a secret; change .env; roll
back, and fail, after another content.
State checked: what the image and the container hold, which containers are replaced, what is said.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

STOP_FIRST = {
    "image": "busybox:latest",
    "secrets": ["tok"],
    "stop_signal": "SIGKILL",
    "x-tonnage": {"stability": "500ms", "switch": "stop-first"},
}
BUILDS = "--mount=type=secret,id=tok cp /run/secrets/tok /got"


def held(project: Project, path: str) -> str:
    container = project.engine.client.containers.get(project.engine.container("web").id)
    told = container.exec_run(["cat", path])
    assert told.exit_code == 0, told.output
    assert isinstance(told.output, bytes)
    return told.output.decode()


@pytest.mark.each_engine
@pytest.mark.only_on("secrets of builds need BuildKit, and those of variables Compose 2", since=23)
def test_content_from_dot_env_reaches_builds_and_containers_and_a_change_of_it_replaces_them(project: Project) -> None:
    (project.directory / ".env").write_text("TOK=s3cret-17\nOTHER=other\n")
    (project.directory / "file").write_text("one")
    project.top = {
        "secrets": {"tok": {"environment": "TOK"}, "file": {"file": "./file"}},
        "configs": {"told": {"environment": "OTHER"}, "inline": {"content": "inline 1"}},
    }
    project.web(
        "web",
        "page",
        run=BUILDS,
        build={"context": "./web", "secrets": ["tok"]},
        secrets=["tok", "file"],
        configs=[{"source": "told", "target": "/told"}, {"source": "inline", "target": "/inline"}],
    )
    project.deploy()
    first = project.engine.container("web")
    found = [held(project, path) for path in ("/got", "/run/secrets/tok", "/run/secrets/file", "/told", "/inline")]
    assert found == ["s3cret-17", "s3cret-17", "one", "other", "inline 1"]
    assert "s3cret" not in json.dumps([project.docker("inspect", first.id), project.tonnage("plan", "--json").stdout])
    project.deploy()
    assert project.engine.container("web") == first

    (project.directory / "file").write_text("two")
    project.deploy()
    second = project.engine.container("web")
    assert second.id != first.id
    assert held(project, "/run/secrets/file") == "two"

    (project.directory / ".env").write_text("OTHER=other 2\n")
    ended = project.tonnage("deploy", environment={"TOK": "of $HOME $$17"})
    assert ended.exit_code == 0, ended.stderr
    assert project.engine.container("web").id != second.id
    assert [held(project, path) for path in ("/run/secrets/tok", "/told")] == ["of $HOME $$17", "other 2"]

    ended = project.tonnage("deploy")
    assert ended.exit_code == 2
    assert "the variable TOK is not set, which the secret tok of web takes its content from" in ended.stderr


def written(project: Project, content: str, level: str, *, command: str = "sleep") -> None:
    """Write a stack that is stopped first, with a secret of this content."""
    (project.directory / ".env").write_text(f"TOK={content}\n")
    project.top = {"secrets": {"tok": {"environment": "TOK"}}}
    project.services["web"] = {**STOP_FIRST, "environment": {"LEVEL": level}, "command": [command, "100000"]}
    project.write()


def running(project: Project) -> tuple[str, str]:
    """Return what the secret holds in the container, and its variable."""
    environment = project.engine.details("web")["Config"]["Env"]
    return held(project, "/run/secrets/tok"), next(each for each in environment if each.startswith("LEVEL="))


@pytest.mark.long("five switches")
@pytest.mark.only_on("secrets of variables need Compose 2", since=23)
def test_a_rollback_does_not_claim_that_a_secret_holds_again_what_it_held(project: Project) -> None:
    written(project, "one", "1")
    project.deploy()
    written(project, "two", "2")
    project.deploy()
    ended = project.tonnage("plan", "--rollback")
    assert "with what its secrets and configs hold now (tok): their earlier contents are not stored" in ended.stdout
    assert project.tonnage("rollback").exit_code == 0
    assert running(project) == ("two", "LEVEL=1")

    written(project, "one", "1")
    project.deploy()
    assert running(project) == ("one", "LEVEL=1")
    ended = project.tonnage("rollback", "web")
    assert ended.exit_code == 2
    assert "differs only by the contents of its secrets and configs, which are not stored" in ended.stderr


@pytest.mark.long("four switches")
@pytest.mark.only_on("secrets of variables need Compose 2", since=23)
def test_a_deploy_that_was_undone_leaves_no_secret_that_the_next_one_does_not_see(project: Project) -> None:
    written(project, "one", "1")
    project.deploy()
    written(project, "two", "2", command="false")
    assert project.tonnage("deploy").exit_code == 5
    assert running(project) == ("two", "LEVEL=1")
    written(project, "one", "1")
    project.deploy()
    assert running(project) == ("one", "LEVEL=1")
    assert not project.deploy().stdout
