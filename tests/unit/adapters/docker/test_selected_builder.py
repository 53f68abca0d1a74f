"""What buildx says of builders is recorded from buildx 0.29."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.docker.preflight import check_ready
from tonnage.adapters.docker.selected_builder import SelectedBuilder, selected_builder
from tonnage.adapters.docker.tools import BuilderKind, BuildTool, Tools
from tonnage.errors import EngineLacksError, UsageError
from tonnage.model.deploy.plan import Build, Plan, Purpose, RemoveContainer, Step
from tonnage.model.stack import BuildSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.deploy.plan import Action

INSPECTED = """\
Name:          cont
Driver:        docker-container
Last Activity: 2026-11-29 08:50:25 +0000 UTC

Nodes:
Name:                  cont0
Endpoint:              unix:///var/run/docker.sock
Status:                inactive
"""
OWN = "Name:   default\nDriver: docker\n\nNodes:\nName: default\n"
ABSENT = 'ERROR: no builder "missing" found'


def docker(folder: Path, told: str, exit_code: int = 0) -> BuildTool:
    (folder / "said").write_text(told + "\n")
    program = folder / "docker"
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        '--version) echo "Docker version 28.5.2, build 17";;\n'
        '"buildx version"|"buildx build --help") echo rawjson;;\n'
        f'"buildx inspect") touch {folder}/asked; cat {folder}/said >&{1 + bool(exit_code)}; exit {exit_code};;\n'
        "*) exit 17;;\n"
        "esac\n"
    )
    program.chmod(0o755)
    return BuildTool(str(program), BuilderKind.RAWJSON, buildx=True, version="28", has_buildx=True, has_buildkit=True)


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder), **more}


def buildx_file(folder: Path, name: str, text: str) -> None:
    place = folder / ".docker" / "buildx" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def plan_of(folder: Path, action: Action) -> Plan:
    step = Step(name="web.x", action=action, cause="c", changes="c", service="web")
    return Plan(
        stack="shop",
        directory=str(folder),
        purpose=Purpose.BUILD,
        engine_id="E",
        endpoint="unix:///x",
        fingerprint="f",
        filesystem="/",
        available_bytes=104_729,
        reserve_bytes=97,
        steps=(step,),
    )


def build(folder: Path) -> Plan:
    spec = BuildSpec(context=str(folder), dockerfile_inline="FROM busybox")
    return plan_of(folder, Build(spec=spec, reference="web:candidate", labels=()))


def test_a_builder_that_is_not_there_is_refused_as_buildx_would(tmp_path: Path) -> None:
    docker(tmp_path, ABSENT, exit_code=1)
    with pytest.raises(UsageError, match="BUILDX_BUILDER=missing names no builder") as caught:
        check_ready(build(tmp_path), Tools(environment(tmp_path, BUILDX_BUILDER="missing")))
    assert caught.value.why == ABSENT
    assert "\n  unset BUILDX_BUILDER" in caught.value.todo


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("current", '{"Key":"unix:///var/run/docker.sock","Name":"cont","Global":false}'),
        ("defaults/13c4025c96f36e94b348", "cont"),
    ],
)
def test_a_builder_that_is_selected_in_the_files_of_buildx_is_said_not_to_be_used(
    tmp_path: Path, name: str, text: str
) -> None:
    docker(tmp_path, INSPECTED)
    buildx_file(tmp_path, name, text)
    buildx_file(tmp_path, "instances/cont", "{}")
    [note] = check_ready(build(tmp_path), Tools(environment(tmp_path)))
    assert note.startswith("the builder cont (docker-container) is selected and not used, since it runs in the engine")


def test_a_builder_that_was_removed_is_not_asked_for(tmp_path: Path) -> None:
    docker(tmp_path, INSPECTED)
    buildx_file(tmp_path, "current", '{"Key":"unix:///var/run/docker.sock","Name":"cont","Global":false}')
    assert Tools(environment(tmp_path)).selected_builder is None
    assert not (tmp_path / "asked").exists()


def test_the_builder_that_a_plan_builds_with_is_named(tmp_path: Path) -> None:
    docker(tmp_path, INSPECTED)
    spec = BuildSpec(context=str(tmp_path), dockerfile_inline="FROM busybox")
    plan = plan_of(tmp_path, Build(spec=spec, reference="web:candidate", builder="cont"))
    [note] = check_ready(plan, Tools(environment(tmp_path, BUILDX_BUILDER="cont")))
    assert note.startswith("the builder cont (docker-container) builds, since it is selected")


def test_a_builder_in_a_container_does_not_build_on_the_image_of_another_service(tmp_path: Path) -> None:
    docker(tmp_path, INSPECTED)
    spec = BuildSpec(
        context=str(tmp_path),
        dockerfile_inline="FROM base",
        additional_contexts=(("base", "docker-image://shop-base"),),
        built_on=("base",),
    )
    plan = plan_of(tmp_path, Build(spec=spec, reference="web:candidate", builder="cont"))
    with pytest.raises(EngineLacksError, match="cont cannot build on the image of base") as caught:
        check_ready(plan, Tools(environment(tmp_path, BUILDX_BUILDER="cont")))
    assert caught.value.todo.endswith("\n  export BUILDX_BUILDER=default")


NODE = ("cont0", "unix:///run/docker.sock")


@pytest.mark.parametrize(
    ("driver", "nodes", "why"),
    [
        ("docker-container", (NODE,), ""),
        ("docker-container", (("cont0", "default"),), ""),
        ("docker-container", (("cont0", "unix:///run/other.sock"),), "it runs in the engine at unix:///run/other.sock"),
        ("docker-container", (("cont0", "no-such-context"),), "it runs in the engine at no-such-context"),
        ("docker-container", (NODE, NODE), "it has 2 nodes"),
        ("docker-container", (), "it has 0 nodes"),
        ("kubernetes", (NODE,), "its driver is kubernetes"),
        ("remote", (NODE,), "its driver is remote"),
    ],
)
def test_only_one_container_of_this_very_engine_is_a_builder_for_it(
    driver: str, nodes: tuple[tuple[str, str], ...], why: str
) -> None:
    given = {"DOCKER_HOST": "unix:///run/docker.sock"}
    told = SelectedBuilder("cont", driver, nodes).why_not("unix:///run/docker.sock", given)
    assert told.startswith(why)
    assert bool(told) == bool(why)


def test_a_builder_that_a_variable_selects_is_found(tmp_path: Path) -> None:
    found = selected_builder(docker(tmp_path, INSPECTED), environment(tmp_path, BUILDX_BUILDER="cont"))
    assert found == SelectedBuilder("cont", "docker-container", (("cont0", "unix:///var/run/docker.sock"),))


def test_the_engine_itself_is_no_other_builder(tmp_path: Path) -> None:
    tool = docker(tmp_path, OWN)
    assert selected_builder(tool, environment(tmp_path, BUILDX_BUILDER="my-context")) is None


@pytest.mark.parametrize("more", [{}, {"BUILDX_BUILDER": "default"}])
def test_nothing_is_asked_where_nothing_selects_a_builder(tmp_path: Path, more: dict[str, str]) -> None:
    tool = docker(tmp_path, INSPECTED)
    buildx_file(tmp_path, "current", '{"Key":"unix:///var/run/docker.sock","Name":"","Global":false}')
    assert selected_builder(tool, environment(tmp_path, **more)) is None
    assert not (tmp_path / "asked").exists()


def test_a_plan_that_builds_nothing_asks_for_no_builder(tmp_path: Path) -> None:
    docker(tmp_path, ABSENT, exit_code=1)
    plan = plan_of(tmp_path, RemoveContainer(container="x"))
    assert check_ready(plan, Tools(environment(tmp_path, BUILDX_BUILDER="missing"))) == ()


def test_what_cannot_be_read_selects_nothing(tmp_path: Path) -> None:
    tool = docker(tmp_path, "failed to connect", exit_code=1)
    buildx_file(tmp_path, "current", "no JSON")
    assert selected_builder(tool, environment(tmp_path)) is None
    assert selected_builder(tool, environment(tmp_path, BUILDX_BUILDER="cont")) is None
