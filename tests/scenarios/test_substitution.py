"""Variables in a Dockerfile: what the real builder makes of them is what the recipe says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.model.forecast.recipe import BaseConfig, Builder
from tonnage.sources.dockerfile.parser import read_dockerfile
from tonnage.sources.dockerfile.recipe import recipe

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

DOCKERFILE = r"""
ARG GLOBAL=global
ARG SECOND=${GLOBAL}-x
ARG GIVEN
FROM busybox AS below
ARG INHERITED=from-below
ENV BELOW=yes
FROM below
ARG GLOBAL
ARG SECOND
ARG GIVEN
ARG TARGETPLATFORM
ARG TARGETARCH
ARG FIRST=default
ARG NEXT=${FIRST}2
ENV A=hello B="a b" C='$A' D="$A ${A}" E=\$A
ENV A=bye F=$A
ENV X01=$A X02=${A} X03=${A}x X04=${U:-none} X05=${U:-$A} X06=${A:+set} X07=${U:+set}
ENV X08="it's" X09='say "hi"' X10=a\ b X11="a\"b" X12=$ X13=$$ X14="a\b" X15=a\b X16=${A:-${B}}
ENV X17=$GLOBAL X18=$SECOND X19=$GIVEN. X20=$TARGETPLATFORM X21=$TARGETARCH X22=$NEXT X23=$INHERITED X24=$BELOW
ENV X25 old form with "quotes" and $A
ENV X26="$1" X27='a'"b"c X28= X29="" X30=$A$A X31=$A-$B X32="${B}" X33=$B
ENV X34=${A:-'x y'} X35="\$A" X36='\$A' X37="a\
b" X38=x\
y X39=${U:-"quoted"} X40="${U:-$B}"
ARG A=arg-after-env
ENV X41=$A
ENV FIRST=env-after-arg
ARG LAST=${A}-last
ENV X42=$LAST X43=$FIRST
WORKDIR /w/$A
RUN env > /seen && pwd > /where
"""
OWN = {"HOME", "PWD", "SHLVL", "HOSTNAME"}


def variables(text: str) -> dict[str, str]:
    """Return ``NAME=VALUE`` lines as a mapping."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def test_the_builder_and_the_recipe_give_variables_the_same_values(project: Project) -> None:
    (project.directory / "Dockerfile").write_text(DOCKERFILE)
    project.docker("build", "--build-arg", "GIVEN=by-hand", "--tag", "variables:now", ".")
    image = project.real.client.images.get("variables:now")
    expected = recipe(
        read_dockerfile(DOCKERFILE),
        build_args={"GIVEN": "by-hand"},
        platform=f"linux/{image.attrs['Architecture']}",
        base_config=lambda _: BaseConfig(),
        builder=Builder.BUILDKIT,
    ).final

    assert variables("\n".join(image.attrs["Config"]["Env"])) == expected.ending.environment

    seen = project.docker("run", "--rm", "variables:now", "cat", "/seen", "/where")
    in_run = {name: value for name, value in variables(seen).items() if name not in OWN}
    assert in_run == expected.steps[-1].surroundings.variables
    assert seen.splitlines()[-1] == expected.ending.working_directory
