from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.docker.tools import BuilderKind, Tools
from tonnage.errors import EngineLacksError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

RAWJSON = "--progress string   Set type of progress output (auto, plain, tty, rawjson)"
PLAIN = "--progress string   Set type of progress output (auto, plain, tty)"


def stand_in_docker(folder: Path, version: str = "20.10.24+dfsg1", buildx: str = "", compose: str = "") -> str:
    """Write a docker program that can do exactly this."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "docker"
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        f'"--version") echo "Docker version {version}, build 17";;\n'
        f'"buildx version") [ -n "{buildx}" ] && echo v0.13;;\n'
        f'"buildx build --help") echo "{buildx}";;\n'
        f'"compose version --short") [ -n "{compose}" ] && echo "{compose}";;\n'
        "*) exit 17;;\n"
        "esac\n"
    )
    program.chmod(0o755)
    return str(program)


def standalone_compose(folder: Path, version: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "docker-compose"
    program.write_text(f'#!/bin/sh\n[ "$*" = "version --short" ] && echo {version}\n')
    program.chmod(0o755)
    return str(program)


def _path(*folders: Path) -> dict[str, str]:
    return {"PATH": ":".join(map(str, folders))}


def test_the_program_that_can_most_is_chosen_not_the_first(tmp_path: Path) -> None:
    stand_in_docker(tmp_path / "a", "28.2.2")
    stand_in_docker(tmp_path / "b", "20.10.24")
    best = stand_in_docker(tmp_path / "c", "27.0.1", RAWJSON)
    build = Tools(_path(tmp_path / "a", tmp_path / "b", tmp_path / "c")).need_build()
    assert (build.program, build.kind, build.buildx) == (best, BuilderKind.RAWJSON, True)


def test_an_older_program_with_buildkit_inside_goes_before_a_newer_one_without_buildx(tmp_path: Path) -> None:
    stand_in_docker(tmp_path / "a", "28.2.2")
    best = stand_in_docker(tmp_path / "b", "20.10.24+dfsg1")
    build = Tools(_path(tmp_path / "a", tmp_path / "b")).need_build()
    assert (build.program, build.kind, build.buildx) == (best, BuilderKind.PLAIN, False)


def test_of_two_that_can_the_same_the_first_is_chosen(tmp_path: Path) -> None:
    first = stand_in_docker(tmp_path / "a", "20.10.24")
    stand_in_docker(tmp_path / "b", "20.10.25")
    assert Tools(_path(tmp_path / "a", tmp_path / "b")).need_build().program == first


def test_buildx_without_rawjson_builds_plain(tmp_path: Path) -> None:
    stand_in_docker(tmp_path, "24.0.7", PLAIN)
    build = Tools(_path(tmp_path)).need_build()
    assert (build.kind, build.buildx) == (BuilderKind.PLAIN, True)


def test_a_new_program_without_buildx_is_left_with_the_classic_builder(tmp_path: Path) -> None:
    stand_in_docker(tmp_path, "28.2.2")
    assert Tools(_path(tmp_path)).builder == "legacy"


@pytest.mark.parametrize("value", ["0", "false", "F"])
def test_the_user_can_force_the_classic_builder(tmp_path: Path, value: str) -> None:
    stand_in_docker(tmp_path, "27.0.1", RAWJSON)
    build = Tools({**_path(tmp_path), "DOCKER_BUILDKIT": value}).need_build()
    assert (build.kind, build.buildx) == (BuilderKind.LEGACY, False)
    assert (build.switched_off_by, build.has_buildx) == (f"DOCKER_BUILDKIT={value}", True)
    assert build.described == f"the classic builder, because of DOCKER_BUILDKIT={value}"


def test_the_user_can_name_the_program(tmp_path: Path) -> None:
    chosen = stand_in_docker(tmp_path / "own", "20.10.24")
    stand_in_docker(tmp_path / "a", "27.0.1", RAWJSON)
    assert Tools({**_path(tmp_path / "a"), "TONNAGE_DOCKER": chosen}).need_build().program == chosen


def test_a_named_program_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="TONNAGE_DOCKER=/nowhere/docker"):
        Tools({**_path(tmp_path), "TONNAGE_DOCKER": "/nowhere/docker"}).need_build()


def test_another_program_under_the_name_of_docker_is_not_taken(tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho podman version 4.3.1\n")
    program.chmod(0o755)
    tools = Tools(_path(tmp_path))
    assert tools.builder == "none"
    with pytest.raises(EngineLacksError, match=r"podman version 4\.3\.1"):
        tools.need_build()


def test_without_any_program_the_error_says_how_to_install_one(tmp_path: Path) -> None:
    with pytest.raises(EngineLacksError, match=r"\n  apt-get install -y docker\.io"):
        Tools(_path(tmp_path)).need_build()


def test_nothing_is_started_before_the_first_question(tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    program.chmod(0o755)
    Tools(_path(tmp_path))
    assert not (tmp_path / "started").exists()


def test_the_compose_plugin_of_any_program_goes_before_the_standalone_first_generation(tmp_path: Path) -> None:
    stand_in_docker(tmp_path / "a")
    plugin = stand_in_docker(tmp_path / "b", compose="2.27.0")
    standalone_compose(tmp_path / "a", "1.29.2")
    compose = Tools(_path(tmp_path / "a", tmp_path / "b")).need_compose()
    assert (compose.command, compose.generation) == ((plugin, "compose"), 2)


def test_a_standalone_second_generation_goes_before_a_first(tmp_path: Path) -> None:
    standalone_compose(tmp_path / "a", "1.29.2")
    second = standalone_compose(tmp_path / "b", "v2.27.0")
    compose = Tools(_path(tmp_path / "a", tmp_path / "b")).need_compose()
    assert (compose.command, compose.generation, compose.version) == ((second,), 2, "2.27.0")


@pytest.mark.parametrize(("told", "generation"), [("1.29.2", 1), ("v2.3.3", 2), ("2.40.3-desktop.1", 2), ("5.0.0", 2)])
def test_the_generation_is_told_by_the_version(tmp_path: Path, told: str, generation: int) -> None:
    standalone_compose(tmp_path, told)
    assert Tools(_path(tmp_path)).need_compose().generation == generation


def test_without_compose_the_error_says_what_was_tried_and_how_to_install_one(tmp_path: Path) -> None:
    program = stand_in_docker(tmp_path, "20.10.24")
    with pytest.raises(EngineLacksError, match="\n  apt-get install -y docker-compose") as caught:
        Tools(_path(tmp_path)).need_compose()
    assert f"{program} (20.10.24, build 17) has no compose plugin." in caught.value.why


def test_a_first_generation_written_in_python_is_not_started_to_read_a_stack(tmp_path: Path) -> None:
    program = tmp_path / "docker-compose"
    program.write_text(f"#!/usr/bin/python3\nopen({str(tmp_path / 'started')!r}, 'w')\nprint('1.29.2')\n")
    program.chmod(0o755)
    tools = Tools(_path(tmp_path))
    assert tools.compose_2 is None
    assert not (tmp_path / "started").exists()
    assert tools.need_compose().generation == 1


def test_looking_for_compose_does_not_look_for_a_builder(tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_text(
        "#!/bin/sh\n"
        f"echo $* >> {tmp_path}/asked\n"
        'case "$*" in\n'
        "--version) echo Docker version 27.0.1, build 17;;\n"
        '"compose version --short") echo 2.27.0;;\n'
        "esac\n"
    )
    program.chmod(0o755)
    tools = Tools(_path(tmp_path))
    assert tools.compose_2 is not None
    assert tools.compose is tools.compose_2
    assert (tmp_path / "asked").read_text() == "--version\ncompose version --short\n"
