"""The image stands on a base with more than it needs, where the same name has a smaller one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.finding import Edit, Finding, Fix, Safety
from tonnage.model.forecast.recipe import FileSourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading, ReadStage

NAME = "large-base"
_SLIM = regex(
    "(?P<name>(?:docker\\.io/)?(?:library/)?(?:python|node|ruby|perl|debian|php|rust)):(?P<tag>(?:\\d+(?:\\.\\d+){0,2}|(?P<release>bookworm|bullseye|trixie|sid|stable|lts|latest))(?:-(?:bookworm|bullseye|trixie))?)"
)
_DEVEL = regex(r"(?P<before>(?:docker\.io/)?(?:nvidia/cuda|pytorch/pytorch):\S*?)-devel(?P<behind>(?:-\S+)?)")


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for stage in read.stages:
        base = stage.stage.base
        if not stage.in_image or base.kind is not FileSourceKind.IMAGE:
            continue
        smaller = _smaller(base.name)
        if not smaller or _builds(stage):
            continue
        edit = _edit(stage, base.name, smaller)
        yield Finding(
            rule=NAME,
            place=stage.stage.place,
            text=f"{base.name} has more than most images need",
            why="It has compilers and headers for development.",
            todo=f"If nothing of it is missed, stand on\n  FROM {smaller}",
            fix=Fix(edits=(edit,), what=f"stand on {smaller}", safety=Safety.DECISION) if edit is not None else None,
        )


def _smaller(name: str) -> str:
    devel = _DEVEL.fullmatch(name)
    if devel is not None:
        return f"{devel['before']}-runtime{devel['behind']}"
    slim = _SLIM.fullmatch(name)
    if slim is None or "latest" in name or name.partition(":")[0].endswith("php"):
        return ""
    return f"{slim['name']}:{slim['tag']}-slim"


def _builds(stage: ReadStage) -> bool:
    """Return whether the stage compiles something by its own words."""
    return any(
        command.program in {"gcc", "g++", "make", "cmake", "nvcc", "cargo", "go"}
        for step in stage.runs
        for command in step.commands
    )


def _edit(stage: ReadStage, written: str, smaller: str) -> Edit | None:
    """Return the change of the ``FROM``; None where the name stands in an argument."""
    lines = stage.read.lines
    number = stage.opening.line
    column = lines.line(number).find(written)
    if column < 0 or stage.opening.body.split()[0] != written:
        return None
    begin = lines.begin(number) + column
    return Edit(begin, begin + len(written), smaller)


RULE = DockerfileRule(
    name=NAME,
    aliases=("DD018", "gpu/prefer-runtime-final-stage"),
    title="the base image has more than is needed",
    why="python:3.12 has compilers and headers for everything, python:3.12-slim what runs Python: 0.9 GB less. The"
    " devel images of CUDA are several GB larger than the runtime ones. A Dockerfile does not say what"
    " an image needs of it, so the change is only made when you name it. A stage that itself compiles, or"
    " that no image stands on, is not found.",
    before="FROM python:3.12\nRUN pip install --no-cache-dir flask",
    after="FROM python:3.12-slim\nRUN pip install --no-cache-dir flask",
    fixes=Safety.DECISION,
    check=_check,
)
