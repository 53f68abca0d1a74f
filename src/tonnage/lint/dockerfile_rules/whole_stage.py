"""The whole filesystem of a stage is copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.recipe import FileSourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading
    from tonnage.model.forecast.finding import Finding

NAME = "whole-stage"
_FROM_STAGES = frozenset({FileSourceKind.STAGE, FileSourceKind.IMAGE})


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for step in read.steps:
        copy = step.copy
        if copy is None or copy.origin.kind not in _FROM_STAGES or step.stage.stage.base.kind is FileSourceKind.SCRATCH:
            continue
        if any(source.strip("/.") == "" for source in copy.sources) and copy.destination.strip("/") == "":
            yield step.finding(
                NAME,
                f"everything in {copy.origin.name or 'a stage'} is copied over the base image",
                why="The layer has the operating system again, and shares nothing.",
                todo="Copy the directories that are needed, such as /usr/local.",
            )


RULE = DockerfileRule(
    name=NAME,
    aliases=("DL3067",),
    title="the whole filesystem of a stage is copied",
    why="`COPY --from=STAGE / /` puts a whole operating system into one layer on top of another one. Into an empty"
    " image (`FROM scratch`) that is a way to make one layer of many, and is not found.",
    before="COPY --from=build / /",
    after="COPY --from=build /usr/local /usr/local",
    check=_check,
)
