from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.docker.builder_needs import refuse_what_it_lacks
from tonnage.adapters.docker.tools import BuilderKind, BuildTool
from tonnage.errors import EngineLacksError
from tonnage.model.stack import BuildSpec, Place

if TYPE_CHECKING:
    from pathlib import Path

OFF = BuildTool(
    "docker", BuilderKind.LEGACY, buildx=False, version="28", switched_off_by="DOCKER_BUILDKIT=0", has_buildx=True,
    has_buildkit=True,
)  # fmt: skip
NONE = BuildTool("docker", BuilderKind.LEGACY, buildx=False, version="28")
INSIDE = BuildTool("docker", BuilderKind.PLAIN, buildx=False, version="20", has_buildkit=True)
BUILDX = BuildTool("docker", BuilderKind.RAWJSON, buildx=True, version="28", has_buildx=True, has_buildkit=True)
NEEDING = "FROM busybox\nRUN --mount=type=cache,target=/c true\nCOPY --chmod=1 a b\nRUN --network=none true\n"


def refusal(tool: BuildTool, spec: BuildSpec) -> EngineLacksError:
    with pytest.raises(EngineLacksError) as refused:
        refuse_what_it_lacks(tool, spec)
    return refused.value


@pytest.mark.parametrize(
    "spec",
    [
        BuildSpec(context=".", dockerfile_inline="FROM busybox", additional_contexts=(("a", "b"),)),
        BuildSpec(context=".", dockerfile_inline="FROM busybox", platforms=("linux/amd64", "linux/arm64")),
        BuildSpec(context=".", dockerfile_inline="FROM busybox", secrets=("id=a",)),
        BuildSpec(context=".", dockerfile_inline="FROM busybox", ssh=("default",)),
        BuildSpec(context=".", dockerfile_inline="FROM --platform=$BUILDPLATFORM busybox"),
        BuildSpec(context=".", dockerfile_inline=NEEDING),
    ],
)
def test_the_setting_that_chose_the_classic_builder_is_the_cause_and_no_program_that_is_there(spec: BuildSpec) -> None:
    error = refusal(OFF, spec)
    assert "DOCKER_BUILDKIT=0 is set" in error.why
    assert error.todo == "Let BuildKit build:\n  unset DOCKER_BUILDKIT"


def test_buildx_is_to_be_installed_where_it_is_not_there() -> None:
    several = BuildSpec(context=".", dockerfile_inline="FROM busybox", platforms=("linux/amd64", "linux/arm64"))
    assert refusal(INSIDE, several).todo.startswith("Install buildx")
    assert refusal(NONE, BuildSpec(context=".", dockerfile_inline=NEEDING)).todo.startswith("Install buildx")


def test_both_are_said_where_both_are_in_the_way() -> None:
    off_inside = BuildTool(
        "docker", BuilderKind.LEGACY, buildx=False, version="20", switched_off_by="DOCKER_BUILDKIT=f", has_buildkit=True
    )
    contexts = BuildSpec(context=".", dockerfile_inline="FROM busybox", additional_contexts=(("a", "b"),))
    assert refusal(off_inside, contexts).todo.startswith("Let BuildKit build:\n  unset DOCKER_BUILDKIT\nInstall buildx")
    # BuildKit is inside that program.
    assert "Install" not in refusal(off_inside, BuildSpec(context=".", dockerfile_inline=NEEDING)).todo


def test_what_the_dockerfile_asks_for_is_named_with_its_line(tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(NEEDING)
    error = refusal(OFF, BuildSpec(context=str(tmp_path), dockerfile=str(dockerfile)))
    assert error.place == f"{dockerfile}:2"
    assert error.what.endswith("RUN --mount, and 2 further lines of this Dockerfile")


def test_what_an_inline_dockerfile_asks_for_is_placed_in_the_compose_file() -> None:
    spec = BuildSpec(context=".", dockerfile_inline="FROM busybox\nCOPY --chmod=1 a b", place=Place("compose.yaml", 17))
    assert refusal(NONE, spec).place == "compose.yaml:17"


@pytest.mark.parametrize("tool", [INSIDE, BUILDX])
def test_buildkit_is_asked_for_whatever_a_dockerfile_says(tool: BuildTool) -> None:
    refuse_what_it_lacks(tool, BuildSpec(context=".", dockerfile_inline=NEEDING, secrets=("id=a",)))


def test_a_dockerfile_that_is_elsewhere_or_cannot_be_read_is_left_to_the_builder(tmp_path: Path) -> None:
    refuse_what_it_lacks(OFF, BuildSpec(context="https://example.org/x.git", dockerfile="/x/Dockerfile"))
    refuse_what_it_lacks(OFF, BuildSpec(context=str(tmp_path), dockerfile=str(tmp_path / "Dockerfile")))
