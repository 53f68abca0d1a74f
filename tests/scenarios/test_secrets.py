"""Intent: secrets and configs have the content that Compose gives them, and another content is another version.

Steps: build with a secret and run with a secret and configs from .env; change the file of a secret; change .env.
State checked: what the image and the container hold, which containers are replaced.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

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
