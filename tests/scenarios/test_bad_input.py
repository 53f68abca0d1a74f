"""Intent: what cannot work is said before anything is touched, in words, with its place and its exit code.

Steps: give the installed command a stack or a machine that cannot work, one fault at a time.
State checked: what the command says on both streams; that engine and journal are as they were.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.real_engine import BUSYBOX
from tests.scenarios.driving import QUICK

from tonnage.adapters.docker.tools import Tools

if TYPE_CHECKING:
    from tests.scenarios.driving import Ended, Project

pytestmark = pytest.mark.engine

SLEEPS = {"image": BUSYBOX, "command": ["sleep", "1000"], **QUICK}


def _refused(project: Project, *arguments: str, environment: dict[str, str] | None = None) -> Ended:
    """Run a command that must change nothing; with ``--json`` it must say the same to programs."""
    before = project.engine.everything()
    ended = project.tonnage(*arguments, environment=environment)
    told = project.tonnage(*arguments, "--json", environment=environment)
    error = json.loads(told.stdout)
    assert error["exit_code"] == told.exit_code == ended.exit_code
    assert f"error: {error['place']}: {error['what']}\n".replace("error: : ", "error: ") in ended.stderr
    assert ended.stdout == ""
    assert project.engine.everything() == before
    assert all(not run.steps for run in project.runs())
    return ended


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 0, "the compose file is empty"),
        ("services:\n  web:\n  image: [a\n", 4, "this is not valid YAML"),
        ("services:\n  web: {image: busybox, x-tonnage: {prob: {}}}\n", 2, "Did you mean 'probe'?"),
        ("services:\n  web: {image: 'busybox:${TAG:?name a tag}'}\n", 2, "the required variable TAG is not set"),
        ("services:\n  a: {image: b, depends_on: [b]}\n  b: {image: b, depends_on: [a]}\n", 3, "a -> b -> a"),
        ("services:\n  web: {build: ./web}\n", 2, "is out of reach"),
        ("services:\n  web: {build: .}\n", 2, "has no Dockerfile"),
        (
            "services:\n  a: {image: b, ports: ['17:1']}\n  b: {image: b, ports: ['17:2']}\n",
            3,
            "both publish port 17/tcp",
        ),
        ("x-tonnage: {keep-free: 10G}\nservices:\n  a: {image: b}\n", 1, "Write 10GB (decimal) or 10GiB (binary)."),
        ("services:\n  Web: {build: .}\n", 2, "Give the service the key 'image' with another name."),
    ],
)
def test_a_wrong_compose_file_is_refused_with_its_line(project: Project, text: str, line: int, words: str) -> None:
    file = project.directory / "compose.yaml"
    file.write_text(text)
    ended = _refused(project, "deploy")
    assert ended.exit_code == 2
    assert ended.stderr.startswith(f"error: {file}:{line}: " if line else f"error: {file}: ")
    assert words in ended.stderr


def test_no_compose_file_is_told_with_the_names_that_were_looked_for(project: Project) -> None:
    ended = _refused(project, "deploy")
    assert ended.exit_code == 2
    assert "there is no compose file\nLooked for compose.yaml, " in ended.stderr


def test_an_unknown_service_and_a_wrong_size_are_refused(project: Project) -> None:
    project.services["web"] = SLEEPS
    project.write()
    for arguments, environment, words in (
        (("deploy", "wbe"), {}, "Did you mean 'web'?"),
        (("deploy", "--keep-free", "10G"), {}, "keep-free from flag (--keep-free): '10G' is ambiguous"),
        (("deploy",), {"TONNAGE_KEEP_FREE": "10"}, "keep-free from environment (TONNAGE_KEEP_FREE): '10' has no unit"),
    ):
        ended = _refused(project, *arguments, environment=environment)
        assert ended.exit_code == 2
        assert words in ended.stderr


def test_an_engine_that_is_not_there_is_told_with_how_to_start_one(project: Project, tmp_path: Path) -> None:
    project.services["web"] = SLEEPS
    project.write()
    ended = _refused(project, "deploy", environment={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert ended.exit_code == 6
    assert f"there is no engine at {tmp_path}/none.sock" in ended.stderr


def _path_without(name: str, folder: Path) -> str:
    """Return a PATH on which every program of the real one is but this one."""
    folder.mkdir()
    for directory in os.environ["PATH"].split(os.pathsep):
        for program in Path(directory).iterdir() if Path(directory).is_dir() else ():
            if program.name != name and not (folder / program.name).exists():
                (folder / program.name).symlink_to(program)
    return str(folder)


def test_without_a_docker_program_nothing_is_begun(project: Project, tmp_path: Path) -> None:
    project.web("web", "web 1")
    ended = _refused(
        project, "deploy", environment={"PATH": _path_without("docker", tmp_path / "bin"), "TONNAGE_DOCKER": ""}
    )
    assert ended.exit_code == 7
    assert "no docker program that can build was found" in ended.stderr
    assert "\n  apt-get install -y docker.io\n" in ended.stderr


def test_without_compose_nothing_is_built(project: Project, tmp_path: Path) -> None:
    project.web("web", "web 1")
    path = _path_without("docker-compose", tmp_path / "bin")
    tools = Tools({**project.environment, "PATH": path})
    if tools.compose is not None:
        pytest.skip("the docker program here has Compose as a plugin")
    ended = _refused(project, "deploy", environment={"PATH": path})
    assert ended.exit_code == 7
    assert "no Docker Compose was found" in ended.stderr


def test_what_only_compose_2_can_do_is_refused_by_compose_1_before_anything_is_built(project: Project) -> None:
    tool = Tools(project.environment).compose
    if tool is None or tool.generation != 1:
        pytest.skip("there is no Compose 1 here")
    project.web("web", "web 1", uts="host")
    ended = _refused(project, "deploy")
    assert ended.exit_code == 7
    assert "this stack needs Compose 2" in ended.stderr
    assert "\n    | services.web.uts\n" in ended.stderr


def test_a_dockerfile_without_instructions_fails_the_build_at_its_file(project: Project) -> None:
    project.web("web", "web 1")
    (project.directory / "web" / "Dockerfile").write_text("")
    before = project.engine.everything()
    ended = project.tonnage("deploy")
    assert ended.exit_code == 10
    assert f"error: {project.directory}/web/Dockerfile: the build of web failed" in ended.stderr
    assert project.engine.everything() == before


def test_odd_things_in_a_context_do_not_stop_a_build(project: Project) -> None:
    project.web("web", "web 1")
    context = project.directory / "web"
    (context / "circle").symlink_to(".")
    (context / "nowhere").symlink_to("nothing")
    (context / "line\nbreak").touch()
    os.mkfifo(context / "pipe")
    (context / ".dockerignore").write_text("*\n!index.html\n")
    (context / "own-disk").mkdir()
    shutil.copy(context / "index.html", context / "own-disk")
    project.deploy()
    project.deploy()
    assert project.step_names() == []
