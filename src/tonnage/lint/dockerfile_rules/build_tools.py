"""Compilers and headers stay in the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.effects import AptInstall, AptRemove, OtherInstall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.finding import Finding

NAME = "build-tools"
_TOOLS = frozenset(
    {
        "build-essential", "gcc", "g++", "clang", "cmake", "make", "ninja-build", "gfortran", "cargo", "rustc",
        "golang", "golang-go", "build-base", "musl-dev", "nvidia-cuda-toolkit", "cuda-toolkit",
        "gcc-c++", "python3-dev",
    }
)  # fmt: skip


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for stage in read.stages:
        if not stage.in_image:
            continue
        for step in stage.runs:
            for command, effect in step.found:
                tools = _tools(effect)
                if not tools or any(_takes_away(each) for one in step.behind(command) for each in one.effects):
                    continue
                yield step.finding(
                    NAME,
                    f"{', '.join(tools[:4])} {'stays' if len(tools) == 1 else 'stay'} in the image",
                    command,
                    why="Build tools are not needed at run time.",
                    todo="Build in a stage of its own, and copy what it made.",
                )


def _tools(effect: AnyEffect) -> list[str]:
    if isinstance(effect, AptInstall) and not effect.downloads_only:
        names = effect.packages
    elif isinstance(effect, OtherInstall) and effect.manager in {"apk", "dnf", "microdnf", "yum", "zypper"}:
        # What apk puts into a group is there to be removed again.
        names = () if "--virtual" in effect.command or " -t " in effect.command else effect.packages
    else:
        names = ()
    return [each for each in names if each.partition("=")[0].partition(":")[0] in _TOOLS]


def _takes_away(effect: AnyEffect) -> bool:
    return isinstance(effect, AptRemove)


RULE = DockerfileRule(
    name=NAME,
    aliases=("prefer-multi-stage-build", "DD063", "DD066"),
    title="compilers stay in the image",
    why="build-essential is 362 MB. A stage that builds, and one that copies what was built, leave it out of the"
    " image; BuildKit keeps the layers of both as build cache until they are reclaimed. Tools that the same instruction"
    " removes again are not found.",
    before="FROM python:3.12-slim\n"
    "RUN apt-get update && apt-get install -y --no-install-recommends build-essential \\\n"
    "    && rm -rf /var/lib/apt/lists/*\n"
    "RUN pip install --no-cache-dir -r requirements.txt",
    after="FROM python:3.12-slim AS build\n"
    "RUN apt-get update && apt-get install -y --no-install-recommends build-essential \\\n"
    "    && rm -rf /var/lib/apt/lists/*\n"
    "RUN pip wheel --no-cache-dir -w /wheels -r requirements.txt\n"
    "FROM python:3.12-slim\n"
    "RUN --mount=from=build,source=/wheels,target=/wheels pip install --no-cache-dir /wheels/*",
    check=_check,
)
